export * from './scan-report.ts';
export { type GitRepository, openGitRepository } from './git/git-repository.ts';
export { readGitleaksReport } from './secrets/gitleaks-report.ts';
export { scanSecrets, type ScanSecretsDeps, type ScanSecretsOptions } from './secrets/scan-secrets.ts';
export { parseSuppressions, SUPPRESSIONS_FILE } from './secrets/suppressions.ts';
