/** The one way in which a report is refused. */
import { HoldfastError } from '@holdfast/core';

/** @param reason a constant text: reports are written by strangers */
export function malformed(format: string, reason: string, line: number | null = null): HoldfastError {
  const place = line === null ? '' : ` (line ${line})`;
  return new HoldfastError(`the ${format} report does not parse: ${reason}${place}`, {
    code: 'ERR_REPORT_MALFORMED',
    fields: { format, reason, line },
  });
}
