// Settings of Apollo's tool: which documents it writes into the manifest, and which ID one of them has.
module.exports = {
  documents: ['trusted.mjs'],
  output: 'persisted-query-manifest.json',
  createOperationId: (_, { operationName, createDefaultId }) => operationName === 'Named' ? 'web/Named@1' : createDefaultId(),
};
