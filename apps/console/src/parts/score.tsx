/** The compliance score as a ring. No data is shown as no data, and nothing is rounded up (C-39). */
export function Score({ value, label }: { value: number | null; label: string }) {
  const circumference = 2 * Math.PI * 42;
  const tone = value === null ? 'none' : value === 100 ? 'good' : value >= 80 ? 'warn' : 'bad';
  const text = value === null ? 'no data' : `${Math.floor(value)} %`;
  return (
    <figure className="score" aria-label={`${label}: ${text}`}>
      <svg viewBox="0 0 100 100" aria-hidden="true">
        <circle className="score-track" cx="50" cy="50" r="42" />
        {value === null ? null : (
          <circle
            className={`score-value score-${tone}`}
            cx="50"
            cy="50"
            r="42"
            strokeDasharray={`${(value / 100) * circumference} ${circumference}`}
          />
        )}
        <text x="50" y="50" className={value === null ? 'score-text score-text-small' : 'score-text'}>
          {text}
        </text>
      </svg>
      <figcaption>{label}</figcaption>
    </figure>
  );
}
