// The REST reference: Swagger UI over the document the gateway writes, with the token of the bar.
import SwaggerUI from 'swagger-ui-dist/swagger-ui-es-bundle.js';
import { mountBar } from './bar';
import { withToken } from './token';
import 'swagger-ui-dist/swagger-ui.css';
import './reference.css';

interface Request {
  headers: Record<string, string>;
}

/** The token has one place, the bar; Swagger UI's own dialog would be a second. */
const oneTokenField = () => ({
  wrapComponents: {
    authorizeBtn: () => () => null,
    authorizeOperationBtn: () => () => null,
  },
});

mountBar('reference', '../');
SwaggerUI({
  url: 'openapi.json',
  domNode: document.getElementById('page'),
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  plugins: [oneTokenField],
  requestInterceptor(request: Request) {
    request.headers = withToken(request.headers);
    return request;
  },
  tryItOutEnabled: true,
  validatorUrl: null,
});
