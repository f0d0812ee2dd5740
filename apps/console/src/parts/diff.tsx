function kindOf(line: string): string {
  if (line.startsWith('@@') || line.startsWith('---') || line.startsWith('+++')) return 'diff-head';
  if (line.startsWith('+')) return 'diff-add';
  if (line.startsWith('-')) return 'diff-remove';
  return 'diff-same';
}

/** A unified diff, a line each; added and removed are told by their sign as well as by colour. */
export function Diff({ text }: { text: string }) {
  // Lines of one finished text never move, so their number is their identity.
  const lines = text.split('\n').map((line, number) => ({ key: `line-${number}`, line }));
  return (
    <pre className="diff" tabIndex={0} aria-label="difference from expected to observed">
      {lines.map(({ key, line }) => (
        <span key={key} className={kindOf(line)}>
          {`${line}\n`}
        </span>
      ))}
    </pre>
  );
}
