// The REST reference: Swagger UI over the document the gateway writes, with the token of the bar.
import SwaggerUI from 'swagger-ui-dist/swagger-ui-es-bundle.js';
import { mountBar } from './bar';
import { mend, named } from './mend';
import { withToken } from './token';
import 'swagger-ui-dist/swagger-ui.css';
import './reference.css';

interface Request {
  headers: Record<string, string>;
}

interface System {
  React: { createElement(type: string, props: null, child: string): unknown };
}

/** A link inside the button that opens an operation could not be reached by keyboard. */
const oneControlEach = () => ({
  wrapComponents: {
    DeepLink: (_original: unknown, { React }: System) => ({ text }: { text: string }) =>
      React.createElement('span', null, text),
  },
});

/** The token has one place, the bar; Swagger UI's own dialog would be a second. */
const oneTokenField = () => ({
  wrapComponents: {
    authorizeBtn: () => () => null,
    authorizeOperationBtn: () => () => null,
  },
});

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
  plugins: [oneControlEach, oneTokenField],
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
