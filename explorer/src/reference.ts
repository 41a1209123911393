// The REST reference: Swagger UI over the document the gateway writes, with the token of the bar.
import SwaggerUI from 'swagger-ui-dist/swagger-ui-es-bundle.js';
import { mountBar } from './bar';
import { mend, named } from './mend';
import { PLUGINS, SNIPPETS } from './swagger';
import { withToken } from './token';
import 'swagger-ui-dist/swagger-ui.css';
import './reference.css';

interface Request {
  headers: Record<string, string>;
}

const dark = matchMedia('(prefers-color-scheme: dark)');
const follow = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', follow);
follow();

const page = document.getElementById('page')!;
mountBar('reference', '../');
SwaggerUI({
  url: 'openapi.json',
  domNode: page,
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  plugins: PLUGINS,
  requestSnippets: SNIPPETS,
  requestSnippetsEnabled: true,
  requestInterceptor(request: Request) {
    request.headers = withToken(request.headers);
    return request;
  },
  syntaxHighlight: { theme: 'obsidian' },
  tryItOutEnabled: true,
  validatorUrl: null,
});
mend(page, [
  ['pre:not([tabindex])', (block) => block.setAttribute('tabindex', '0')],
  named('.body-param__text', 'Request body'),
  named('.examples-select-element', 'Example'),
  named('.content-type', 'Media type'),
  named('select', 'Value'),
  named('textarea', 'Value'),
  named('input:not([type=file])', 'Value'),
]);
