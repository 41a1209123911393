// Prints the schema as graphql-js reads it from the gateway's introspection, which asks for no token.
import { buildClientSchema, getIntrospectionQuery, printSchema, validateSchema } from 'graphql';
import { url } from './gateway.mjs';

const everything = { oneOf: true, specifiedByUrl: true, inputValueDeprecation: true, schemaDescription: true };
const body = JSON.stringify({ query: getIntrospectionQuery(everything) });
const headers = { 'content-type': 'application/json' };
const { data } = await (await fetch(`${url}/graphql`, { method: 'POST', headers, body })).json();
const schema = buildClientSchema(data);
for (const error of validateSchema(schema)) throw error;
process.stdout.write(`${printSchema(schema)}\n`);
