export * from './scan-report.ts';
