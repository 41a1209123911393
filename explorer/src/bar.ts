// The bar above both pages: where one can go, and the field for the token with whom it belongs to.
import { currentToken, keepToken, onToken, withToken } from './token';
import './bar.css';

type Page = 'graphiql' | 'reference';

/** Where each page is, seen from the root, and what it is called. */
const LINKS: [Page, string, string][] = [
  ['graphiql', 'graphql', 'GraphiQL'],
  ['reference', 'api/docs', 'REST reference'],
];

const FORM = `
  <form id="token-form">
    <label for="token">Token</label>
    <input id="token" type="password" autocomplete="off" spellcheck="false" placeholder="7|mrg_…" />
    <button type="submit">Use</button>
    <button type="button" id="forget" hidden>Forget</button>
    <output id="who" for="token" aria-live="polite"></output>
  </form>`;

/** Fill the bar. `root` is the gateway's root seen from this page, "./" or "../". */
export function mountBar(page: Page, root: string): void {
  const links = LINKS.map(([name, path, text]) => {
    const current = name === page ? ' aria-current="page"' : '';
    return `<a href="${root}${path}"${current}>${text}</a>`;
  });
  const bar = find('bar');
  bar.innerHTML = `<a class="home" href="${root}">Moorings</a><nav aria-label="Pages">${links.join('')}</nav>${FORM}`;
  find('token-form').addEventListener('submit', (event) => {
    event.preventDefault();
    keepToken(find<HTMLInputElement>('token').value);
  });
  find('forget').addEventListener('click', () => keepToken(''));
  onToken((token) => void showWhose(token, root));
  void showWhose(currentToken(), root);
}

async function showWhose(token: string, root: string): Promise<void> {
  find<HTMLInputElement>('token').value = token;
  find('forget').hidden = !token;
  const who = find('who');
  who.className = '';
  if (!token) {
    who.textContent = 'No token yet';
    return;
  }
  who.textContent = 'Asking …';
  const [good, text] = await whose(root);
  if (token === currentToken()) {
    who.className = good ? 'good' : 'bad';
    who.textContent = text;
  }
}

/** Whether the gateway takes the token, and whom it belongs to or why not. */
async function whose(root: string): Promise<[boolean, string]> {
  try {
    const answer = await fetch(`${root}graphql`, {
      method: 'POST',
      headers: withToken({ 'content-type': 'application/json', accept: 'application/json' }),
      body: JSON.stringify({ query: '{ viewer { name email } }' }),
    });
    const { data, errors } = await answer.json();
    return data ? [true, `${data.viewer.name} · ${data.viewer.email}`] : [false, refusal(answer.status, errors)];
  } catch {
    return [false, 'The gateway does not answer'];
  }
}

function refusal(status: number, errors: { message: string }[]): string {
  return status === 401 ? 'This token is not valid' : errors[0].message;
}

function find<Type extends HTMLElement = HTMLElement>(id: string): Type {
  return document.getElementById(id) as Type;
}
