import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { api } from '../api.ts';
import { Age } from './age.tsx';
import { Failure } from './loaded.tsx';

/** An empty org leads here: one command that enrols a host, which then appears by itself (W-14). */
export function EnrollHost() {
  const create = useMutation({ mutationFn: api.createEnrollmentToken });
  const [copied, setCopied] = useState(false);
  const copy = async (command: string): Promise<void> => {
    await navigator.clipboard.writeText(command);
    setCopied(true);
  };
  return (
    <section className="notice" aria-labelledby="enroll">
      <h2 id="enroll">Enrol a host</h2>
      <p>
        A one-time token lets one host join. The token also carries the fingerprint of this control plane, so that the
        host cannot be fooled.
      </p>
      {create.data === undefined ? (
        <button type="button" className="primary" onClick={() => create.mutate()} disabled={create.isPending}>
          Create a token
        </button>
      ) : (
        <>
          <p>
            Run this as root on the host (good until <Age of={create.data.expiresAt} />
            ):
          </p>
          <pre className="command" tabIndex={0}>
            {create.data.command}
          </pre>
          <button type="button" onClick={() => void copy(create.data.command)}>
            {copied ? 'Copied' : 'Copy'}
          </button>
        </>
      )}
      {create.error === null ? null : <Failure error={create.error} />}
    </section>
  );
}
