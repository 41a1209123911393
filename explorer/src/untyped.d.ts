// What packages bring without types.

declare module 'swagger-ui-dist/swagger-ui-es-bundle.js' {
  export default function SwaggerUI(options: object): void;
}

declare module 'graphiql/setup-workers/vite';
