/**
 * Reads one metric from the Prometheus text format. Only what a drill needs: samples with their labels.
 * https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 */

const SAMPLE =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*)[ \t]*(?:\{((?:[^"}\\]|"(?:[^"\\]|\\.)*")*)\})?[ \t]+(\S+)(?:[ \t]+-?[0-9]+)?[ \t]*$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"/g;
const ESCAPES: Readonly<Record<string, string>> = { '\\n': '\n', '\\\\': '\\', '\\"': '"' };

/** The sum over all samples of `name` that carry `labels`; `null` when there is none. */
export function readMetric(text: string, name: string, labels: Readonly<Record<string, string>>): number | null {
  let sum: number | null = null;
  for (const line of text.split('\n')) {
    if (!line.startsWith(name)) continue;
    const match = SAMPLE.exec(line);
    if (match === null || match[1] !== name) continue;
    const has = new Map(
      [...(match[2] ?? '').matchAll(LABEL)].map(([, key, value]) => [
        key!,
        value!.replaceAll(/\\[n\\"]/g, (escape) => ESCAPES[escape]!),
      ]),
    );
    if (!Object.entries(labels).every(([key, value]) => has.get(key) === value)) continue;
    const value = Number(match[3]!.replace(/^([+-]?)Inf$/, '$1Infinity'));
    if (!Number.isNaN(value)) sum = (sum ?? 0) + value;
  }
  return sum;
}
