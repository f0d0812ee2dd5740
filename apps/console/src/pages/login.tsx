import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useEffect, useRef, type FormEvent } from 'react';
import { api } from '../api.ts';
import { Failure } from '../parts/loaded.tsx';

/** Sign in by the one-time link that the server printed, or by name and password. */
export function LoginPage() {
  const client = useQueryClient();
  const navigate = useNavigate();
  const usedCode = useRef<string | undefined>(undefined);
  const signIn = useMutation({
    mutationFn: (input: { code: string } | { user: string; password: string }) =>
      'code' in input ? api.signInWithCode(input.code) : api.signIn(input.user, input.password),
    onSuccess: async (session) => {
      client.setQueryData(['session'], session);
      await navigate({ to: '/' });
    },
  });
  const { mutate } = signIn;

  useEffect(() => {
    const useCode = (): void => {
      const code = new URLSearchParams(location.hash.slice(1)).get('code');
      // A code works once: a second run of this effect must not spend it again.
      if (code === null || usedCode.current === code) return;
      usedCode.current = code;
      history.replaceState(null, '', location.pathname);
      mutate({ code });
    };
    useCode();
    // A link opened in this very tab changes nothing but the fragment.
    addEventListener('hashchange', useCode);
    return () => removeEventListener('hashchange', useCode);
  }, [mutate]);

  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const [user, password] = [form.get('user'), form.get('password')];
    if (typeof user === 'string' && typeof password === 'string') mutate({ user, password });
  };

  return (
    <main className="login">
      <img src="/favicon.svg" alt="" width="56" height="56" />
      <h1>Holdfast</h1>
      <p className="quiet">Known-good hosts, and the proof of it.</p>
      <form onSubmit={submit}>
        <label>
          User
          <input name="user" autoComplete="username" defaultValue="owner" required />
        </label>
        <label>
          Password
          <input name="password" type="password" autoComplete="current-password" required />
        </label>
        <button type="submit" className="primary" disabled={signIn.isPending}>
          {signIn.isPending ? 'Signing in…' : 'Sign in'}
        </button>
      </form>
      {signIn.error === null ? null : <Failure error={signIn.error} />}
      <p className="quiet">
        The server printed a sign-in link when it started. <code>holdfast server login</code> prints a new one.
      </p>
    </main>
  );
}
