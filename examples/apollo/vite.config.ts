// `npm run dev` serves the page on http://localhost:5173 and hands /graphql, WebSocket included, on to the gateway: the
// browser sees one origin. Served from an origin of its own, the page needs MOORINGS_CORS_ORIGINS.
import { defineConfig } from 'vite';

const gateway = process.env.MOORINGS_URL ?? 'http://127.0.0.1:8000';

export default defineConfig({
  server: { proxy: { '/graphql': { target: gateway, changeOrigin: true, ws: true } } },
});
