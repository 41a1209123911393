// Types for every document in src: `npm run generate` writes them to src/gql, which git ignores.
import type { CodegenConfig } from '@graphql-codegen/cli';

const config: CodegenConfig = {
  // Elsewhere: the file that `moorings schema` prints, or http://127.0.0.1:8000/schema.graphql.
  schema: '../../schema/schema.graphql',
  documents: 'src/**/*.{ts,tsx}',
  emitLegacyCommonJSImports: false,
  generates: {
    'src/gql/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: {
        strictScalars: true,
        scalars: { DateTime: 'string' },
        enumsAsTypes: true,
        // Apollo Client selects `__typename` everywhere but at the root: the types know.
        nonOptionalTypename: true,
        skipTypeNameForRoot: true,
      },
    },
  },
};

export default config;
