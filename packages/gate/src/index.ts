export * from './gate-file/gate-schema.ts';
export * from './board/states.ts';
export * from './records/run-record.ts';
export * from './records/statements.ts';
export * from './log/gate-log.ts';
export * from './verdict/assessment.ts';
export * from './run/runner.ts';
