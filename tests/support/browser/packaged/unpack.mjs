// Unpacks the browser, its fonts and the shared libraries it needs into the folder that TMPDIR names.
import { fileURLToPath } from "node:url";
import chromium, { inflate } from "@sparticuz/chromium";

await chromium.executablePath();
// The package itself unpacks these only on the platform it was made for.
await inflate(fileURLToPath(new URL("../bin/al2023.tar.br", import.meta.resolve("@sparticuz/chromium"))));
