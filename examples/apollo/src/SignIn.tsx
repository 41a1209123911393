import type { Session } from './client';

export function SignIn({ onSignIn }: { onSignIn: (session: Session) => void }) {
  function submit(form: FormData) {
    const url = String(form.get('url')).trim().replace(/\/+$/, '');
    onSignIn({ url, token: String(form.get('token')).trim() });
  }
  return (
    <form action={submit} className="sign-in">
      <h1>Backup destinations</h1>
      <label>
        Gateway
        <input name="url" type="url" required defaultValue={location.origin} />
      </label>
      <label>
        Token
        <input name="token" type="password" required autoComplete="off" placeholder="1|mrg_…" />
      </label>
      <button type="submit">Sign in</button>
    </form>
  );
}
