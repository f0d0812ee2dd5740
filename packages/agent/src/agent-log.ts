/** The agent's log lines: a static message, fields that are safe to show beside it. */
import { isHoldfastError, type LogFields } from '@holdfast/core';
import { pino } from 'pino';
import type { AgentConfig } from './config.ts';
import type { AgentLog } from './ports.ts';

export const createAgentLog = (config: AgentConfig): AgentLog =>
  pino({ name: 'holdfast-agent', level: config.logLevel });

/** What may be logged of an error: its code and its safe fields, or, of an unexpected one, its class. */
export function loggable(error: unknown): LogFields {
  if (isHoldfastError(error)) return { ...error.fields, code: error.code };
  return { code: 'ERR_UNEXPECTED', class: error instanceof Error ? error.name : typeof error };
}
