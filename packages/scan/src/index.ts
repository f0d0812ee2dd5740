export * from './scan-report.ts';
export { type GitRepository, openGitRepository } from './git/git-repository.ts';
export { readGitleaksReport } from './secrets/gitleaks-report.ts';
export { scanSecrets, type ScanSecretsDeps, type ScanSecretsOptions } from './secrets/scan-secrets.ts';
export { parseSuppressions, SUPPRESSIONS_FILE } from './secrets/suppressions.ts';
export {
  importOsv,
  type ImportOptions,
  type ImportReport,
  openOsvDatabase,
  type OsvDatabase,
  type OsvExport,
} from './vulnerabilities/osv-database.ts';
export { readGovulncheck } from './vulnerabilities/read-govulncheck.ts';
export { readNpmAudit } from './vulnerabilities/read-npm-audit.ts';
export {
  inventoryProblems,
  scanVulnerabilities,
  triageVulnerabilities,
  type VulnerabilityScan,
  type VulnerabilityScanDeps,
  type VulnerabilityScanOptions,
} from './vulnerabilities/scan-vulnerabilities.ts';
export { ECOSYSTEMS, type Ecosystem, type Package } from './packages/package.ts';
export { type PackageInventory, readPackages } from './packages/read-packages.ts';
export { memoryFiles, openDirectory, type SourceFiles } from './packages/source-files.ts';
export { type DependencyScanDeps, type DependencyScanOptions, scanDependencies } from './licences/scan-dependencies.ts';
export { buildCycloneDx, type SbomSubject } from './sbom/build-sbom.ts';
export { buildSpdx } from './sbom/build-spdx.ts';
export { buildOpenVex, type VexOptions } from './vex/build-open-vex.ts';
