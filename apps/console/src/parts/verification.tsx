import type { EvidenceDetail } from '@holdfast/api';
import { useQuery } from '@tanstack/react-query';
import { api, ApiError } from '../api.ts';
import { fromBase64 } from '../verify/bytes.ts';
import { verifyBundle } from '../verify/bundle.ts';
import { pin } from '../verify/pins.ts';

/** Proofs follow acceptance within seconds (P-33); until then the page asks again. */
const PROOF_RETRY_MS = 1_500;
const PROOF_TRIES = 5;

/** Verifies the bundle here, in the browser, with the keys this browser pinned, step by step. */
export function Verification({ detail, orgId }: { detail: EvidenceDetail; orgId: string }) {
  const { row, predicate } = detail;
  const { bundleId, hostId } = row;
  const result = useQuery({
    queryKey: ['verification', bundleId],
    queryFn: async () => {
      const { pins, contradictions } = pin(localStorage, orgId, await api.trust(), new Date().toISOString());
      const bytes = fromBase64(detail.envelope);
      const steps = await verifyBundle(bytes, { bundleId, hostId, predicate, row: { ...row } }, pins, () =>
        loadProof(bundleId),
      );
      return { steps, contradictions, pinnedAt: pins.pinnedAt };
    },
    retry: false,
    // Of a bundle that never changes, with a proof that stays true.
    staleTime: Number.POSITIVE_INFINITY,
    refetchInterval: false,
    meta: { isFinal: true },
  });
  if (result.error !== null) {
    return (
      <section className="verification verification-bad" aria-label="Verification">
        <h2>Not verified</h2>
        <p role="alert">{result.error.message}</p>
      </section>
    );
  }
  if (result.data === undefined) {
    return (
      <section className="verification" aria-label="Verification">
        <h2>Verifying…</h2>
      </section>
    );
  }
  const { steps, contradictions } = result.data;
  const verified = contradictions.length === 0 && steps.every(({ ok }) => ok);
  return (
    <section
      className={`verification ${verified ? 'verification-good' : 'verification-bad'}`}
      aria-label="Verification"
    >
      <h2>{verified ? '✓ Verified in this browser' : '✕ Not what was signed: do not trust it'}</h2>
      <ol>
        {contradictions.map((text) => (
          <li key={text} className="step-bad">
            <strong>✕ Pinned keys</strong> <span>{text}</span>
          </li>
        ))}
        {steps.map(({ name, ok, detail: text }) => (
          <li key={name} className={ok ? 'step-good' : 'step-bad'}>
            <strong>
              {ok ? '✓' : '✕'} {name}
            </strong>{' '}
            <span>{text}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

async function loadProof(bundleId: string) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await api.inclusionProof(bundleId);
    } catch (error) {
      const notYet = error instanceof ApiError && error.status === 404;
      if (!notYet || attempt === PROOF_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, PROOF_RETRY_MS));
    }
  }
}
