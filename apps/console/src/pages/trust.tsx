import type { Session } from '@holdfast/api';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { api } from '../api.ts';
import { formatInstant } from '../format.ts';
import { Loaded } from '../parts/loaded.tsx';
import { fingerprint, forgetPins, pin } from '../verify/pins.ts';

/** The keys this browser pinned, to compare with what the server's own command line prints. */
export function TrustPage({ session }: { session: Session }) {
  const client = useQueryClient();
  const trust = useQuery({
    queryKey: ['trust'],
    queryFn: async () => {
      const view = await api.trust();
      const pinned = pin(localStorage, session.orgId, view, new Date().toISOString());
      const hosts = await Promise.all(
        view.hosts.map(async ({ hostId, keyId, name, publicKey, validFrom }) => ({
          keyId,
          name,
          validFrom,
          fingerprint: await fingerprint(pinned.pins.hosts[hostId] ?? publicKey),
        })),
      );
      return { ...pinned, hosts };
    },
  });
  const forget = async (): Promise<void> => {
    forgetPins(localStorage, session.orgId);
    await client.invalidateQueries();
  };
  return (
    <>
      <h1>Pinned keys</h1>
      <p>
        Evidence is verified in this browser with the keys below. Compare them with <code>holdfast server trust</code>{' '}
        on the server; after that no other key will be believed.
      </p>
      <Loaded query={trust}>
        {({ pins, contradictions, hosts }) => (
          <>
            {contradictions.map((text) => (
              <p key={text} className="notice notice-bad" role="alert">
                {text}
              </p>
            ))}
            <h2>Transparency log</h2>
            <p>
              <code className="breakable">{pins.logKey}</code>
            </p>
            <p className="quiet">pinned {formatInstant(pins.pinnedAt)}</p>
            <h2>Hosts</h2>
            <div className="scroll" role="region" aria-label="Host keys" tabIndex={0}>
              <table className="cards">
                <thead>
                  <tr>
                    <th scope="col">Host</th>
                    <th scope="col">Fingerprint</th>
                    <th scope="col">Valid from</th>
                  </tr>
                </thead>
                <tbody>
                  {hosts.map((host) => (
                    <tr key={host.keyId}>
                      <th scope="row">{host.name}</th>
                      <td data-name="fingerprint">
                        <code className="breakable">{host.fingerprint}</code>
                      </td>
                      <td data-name="valid from">{formatInstant(host.validFrom)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
            <p>
              <button type="button" onClick={() => void forget()}>
                Forget these pins
              </button>
            </p>
          </>
        )}
      </Loaded>
    </>
  );
}
