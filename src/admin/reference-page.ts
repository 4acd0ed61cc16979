/**
 * The API's reference for people, from the OpenAPI document: one page of plain HTML, without scripts, readable without
 * the document's tools. All that comes from declarations is escaped. Pure.
 */
import type { JsonSchema, OpenApiDocument, Operation, Parameter } from './openapi.ts'

export function referencePage(document: OpenApiDocument): string {
  const operations = operationsOf(document)
  const { title, version, description } = document.info
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(title)}: API</title>
<link rel="stylesheet" href="/reference.css">
<link rel="icon" href="data:,">
</head>
<body>
<header>
<h1>${escaped(title)} <small>API, version ${escaped(version)}</small></h1>
<p>${escaped(description)}</p>
<p>The same for programs: <a href="/openapi.json">openapi.json</a> (OpenAPI 3.1).
The examples expect two variables:</p>
<pre><code>RELAY=http://127.0.0.1:8080
TOKEN=…</code></pre>
</header>
<nav aria-label="Parts">
<ul>
${document.tags.map(({ name }) => navigation(name, operations)).join('\n')}
<li><a href="#shapes">Shapes</a></li>
</ul>
</nav>
<main>
${document.tags.map(({ name }) => partOf(name, operations)).join('\n')}
${shapes(document)}
</main>
</body>
</html>
`
}

interface Listed {
  readonly method: string
  readonly path: string
  readonly operation: Operation
}

function operationsOf({ paths }: OpenApiDocument): Listed[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      operation,
    })),
  )
}

const isOf =
  (part: string) =>
  ({ operation }: Listed): boolean =>
    operation.tags.includes(part)

function navigation(part: string, operations: readonly Listed[]): string {
  const links = operations
    .filter(isOf(part))
    .map(
      ({ method, path, operation }) =>
        `<li><a href="#${escaped(operation.operationId)}">${escaped(method)} ${escaped(path)}</a></li>`,
    )
  return `<li><details><summary>${escaped(part)}</summary><ul>${links.join('')}</ul></details></li>`
}

function partOf(part: string, operations: readonly Listed[]): string {
  return `<section>
<h2 id="${anchor('part', part)}">${escaped(part)}</h2>
${operations.filter(isOf(part)).map(article).join('\n')}
</section>`
}

function article(listed: Listed): string {
  const { method, path, operation } = listed
  const { operationId, summary, parameters, requestBody } = operation
  const scope = operation['x-scope']
  return `<article id="${escaped(operationId)}">
<h3><code class="method ${method.toLowerCase()}">${escaped(method)}</code> <code class="path">${escaped(path)}</code></h3>
<p>${escaped(summary)}.</p>
<p class="scope">${scope === null ? 'Anybody may ask.' : `Scope <b>${escaped(scope)}</b>`}</p>
${parameters.length === 0 ? '' : titled('Parameters', fieldTable(parameters.map(parameterField), 'sent'))}
${requestBody === undefined ? '' : titled('Body', contentOf(requestBody.content, 'sent'))}
${answers(operation)}
${titled('Example', `<pre><code>${escaped(curl(listed))}</code></pre>`)}
</article>`
}

const titled = (title: string, html: string): string => `<h4>${title}</h4>\n${html}`

interface Field {
  readonly name: string
  readonly required: boolean
  readonly schema: JsonSchema
  readonly description: string
}

function parameterField({ name, in: place, required, description, schema }: Parameter): Field {
  const where = place === 'path' ? 'in the path' : ''
  return { name, required, schema, description: [where, description ?? ''].filter(Boolean).join(': ') }
}

/** Of what is sent it is told what must be there, of what is answered what may be missing. */
type Way = 'sent' | 'answered'

function contentOf(content: Readonly<Record<string, { readonly schema: JsonSchema }>>, way: Way): string {
  return Object.entries(content)
    .map(([type, { schema }]) => `<p class="type">${escaped(type)}</p>\n${schemaHtml(schema, way)}`)
    .join('\n')
}

/** The fields of an object, or of each kind of it; else what it is. */
function schemaHtml(schema: JsonSchema, way: Way): string {
  const alternatives = (schema.oneOf ?? schema.anyOf) as readonly JsonSchema[] | undefined
  if (alternatives?.every(isObject))
    return alternatives
      .map((each) => `<p class="kind">${kindOf(each)}</p>\n${schemaHtml(each, way)}`)
      .join('\n')
  const fields = fieldsOf(schema, '')
  return fields.length === 0 ? `<p>${typeHtml(schema)}</p>` : fieldTable(fields, way)
}

/** What tells it from the other kinds. */
function kindOf({ properties }: JsonSchema): string {
  const [name, { const: value }] = Object.entries(properties as Record<string, JsonSchema>).find(
    ([, each]) => each.const !== undefined,
  ) ?? ['', {}]
  return name === '' ? 'either' : `where ${code(name)} is ${code(JSON.stringify(value))}`
}

const code = (text: string): string => `<code>${escaped(text)}</code>`

const isObject = (schema: JsonSchema): boolean => schema.properties !== undefined

/** Of objects inside it too, by their path. */
function fieldsOf(schema: JsonSchema, path: string): Field[] {
  const required = (schema.required ?? []) as readonly string[]
  return Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>).flatMap(
    ([name, property]) => {
      const at = path === '' ? name : `${path}.${name}`
      const description = String(property.description ?? '')
      const field = { name: at, required: required.includes(name), schema: property, description }
      return [field, ...insideOf(property, at)]
    },
  )
}

function insideOf(schema: JsonSchema, path: string): Field[] {
  if (isObject(schema)) return fieldsOf(schema, path)
  const { items } = schema as { items?: JsonSchema }
  if (items !== undefined) return insideOf(items, `${path}[]`)
  const alternatives = ((schema.anyOf ?? []) as readonly JsonSchema[]).filter(
    (each) => isObject(each) || each.items !== undefined,
  )
  return alternatives.length === 1 ? insideOf(alternatives[0]!, path) : []
}

function fieldTable(fields: readonly Field[], way: Way): string {
  const rows = fields.map(
    ({ name, required, schema, description }) => `<tr>
<th scope="row">${code(name)}${presence(required, way)}</th>
<td>${typeHtml(schema)}${defaultHtml(schema)}</td>
<td>${prose(description)}</td>
</tr>`,
  )
  return `<div class="table"><table>
<thead><tr><th scope="col">Name</th><th scope="col">Type</th><th scope="col">Meaning</th></tr></thead>
<tbody>
${rows.join('\n')}
</tbody></table></div>`
}

function presence(required: boolean, way: Way): string {
  if (required === (way === 'answered')) return ''
  return ` <span class="required">${required ? 'required' : 'may be missing'}</span>`
}

/** With names in it as such. */
const prose = (text: string): string => escaped(text).replace(/`([^`]+)`/g, '<code>$1</code>')

function typeHtml(schema: JsonSchema): string {
  const { $ref, items, anyOf, oneOf, type } = schema as {
    $ref?: string
    items?: JsonSchema
    anyOf?: JsonSchema[]
    oneOf?: JsonSchema[]
    type?: string | string[]
  }
  if ($ref !== undefined)
    return `<a href="#${anchor('shape', shapeName($ref))}">${escaped(shapeName($ref))}</a>`
  if (schema.const !== undefined) return code(JSON.stringify(schema.const))
  if (Array.isArray(schema.enum)) return schema.enum.map((each) => code(JSON.stringify(each))).join(' | ')
  const alternatives = anyOf ?? oneOf
  if (alternatives !== undefined) return [...new Set(alternatives.map(typeHtml))].join(' | ')
  if (items !== undefined) return `list of ${typeHtml(items)}`
  return escaped(Array.isArray(type) ? type.join(' | ') : (type ?? 'anything')) + rangeHtml(schema)
}

function rangeHtml({ minimum, maximum }: JsonSchema): string {
  const known = (limit: unknown): limit is number =>
    typeof limit === 'number' && Math.abs(limit) < Number.MAX_SAFE_INTEGER
  if (known(minimum) && known(maximum)) return `, ${minimum} to ${maximum}`
  if (known(minimum)) return `, at least ${minimum}`
  return known(maximum) ? `, at most ${maximum}` : ''
}

const defaultHtml = (schema: JsonSchema): string =>
  schema.default === undefined
    ? ''
    : `<br><span class="default">default ${code(JSON.stringify(schema.default))}</span>`

function answers({ responses }: Operation): string {
  const [success, ...problems] = Object.entries(responses) as [string, Operation['responses'][string]][]
  const [status, { description, content }] = success!
  const html = `<p class="type">${escaped(status)} ${escaped(description)}</p>\n${content ? contentOf(content, 'answered') : ''}`
  const statuses = problems.map(([problem]) => escaped(problem)).join(', ')
  return `${titled('Answer', html)}
<p class="problems">Problems: ${statuses}, as <a href="#${anchor('shape', 'Problem')}">Problem</a>.</p>`
}

function shapes({ components }: OpenApiDocument): string {
  const articles = Object.entries(components.schemas).map(
    ([name, schema]) => `<article id="${anchor('shape', name)}">
<h3>${code(name)}</h3>
${schemaHtml(schema, name.endsWith('Input') ? 'sent' : 'answered')}
</article>`,
  )
  return `<section>
<h2 id="shapes">Shapes</h2>
${articles.join('\n')}
</section>`
}

/** A command that does as it says, once the capitals in the path are replaced. */
function curl({ method, path, operation }: Listed): string {
  const url = `"$RELAY${path.replace(/\{(\w+)\}/g, (_, name: string) => name.toUpperCase())}"`
  const parts = [`curl ${method === 'GET' ? '' : `-X ${method} `}${url}`]
  if (operation['x-scope'] !== null) parts.push('-H "Authorization: Bearer $TOKEN"')
  const [type, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? []
  if (type !== undefined) {
    parts.push(`-H 'Content-Type: ${type}'`)
    const sample = sampleOf(content!.schema)
    parts.push(`-d '${JSON.stringify(sample).replaceAll("'", "'\\''")}'`)
  }
  return parts.join(' \\\n  ')
}

/** The least that may be sent. */
function sampleOf(schema: JsonSchema): unknown {
  if (schema.const !== undefined) return schema.const
  if (Array.isArray(schema.enum)) return schema.enum[0]
  const [alternative] = (schema.oneOf ?? schema.anyOf ?? []) as readonly JsonSchema[]
  if (alternative !== undefined) return sampleOf(alternative)
  if (isObject(schema)) return requiredOf(schema)
  if (schema.items !== undefined) return [sampleOf(schema.items as JsonSchema)]
  if (schema.type === 'integer' || schema.type === 'number') return Math.max(1, Number(schema.minimum ?? 1))
  if (schema.type === 'boolean') return true
  return schema.type === 'string' ? '…' : {}
}

function requiredOf({ properties, required = [] }: JsonSchema): object {
  const given = Object.entries(properties as Record<string, JsonSchema>)
  return Object.fromEntries(
    given.flatMap(([name, each]) => ((required as string[]).includes(name) ? [[name, sampleOf(each)]] : [])),
  )
}

const shapeName = (ref: string): string => ref.slice(ref.lastIndexOf('/') + 1)

const anchor = (kind: 'part' | 'shape', name: string): string =>
  `${kind}-${name.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

export const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character]!)

export const referenceStyle = `:root {
  color-scheme: light dark;
  --text: light-dark(#1b1f24, #e6e8eb);
  --quiet: light-dark(#57606a, #9aa4ae);
  --ground: light-dark(#ffffff, #14171a);
  --raised: light-dark(#f4f6f8, #1d2125);
  --line: light-dark(#d5dae0, #343a41);
  --link: light-dark(#0b57d0, #8ab4f8);
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; color: var(--text); background: var(--ground); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 small { color: var(--quiet); font-size: 1rem; font-weight: normal; }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); }
h3 { margin: 0 0 .5rem; font-size: 1rem; }
h4 { margin: 1rem 0 .25rem; font-size: .875rem; }
p { margin: .25rem 0; }
a { color: var(--link); }
a:focus-visible, summary:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
code, pre { font: .875rem/1.5 ui-monospace, monospace; }
pre { margin: .25rem 0; padding: .75rem; overflow-x: auto; overflow-wrap: normal; background: var(--raised); border-radius: 4px; }
article { margin: 1rem 0; padding: 1rem; border: 1px solid var(--line); border-radius: 6px; }
article:target { border-color: var(--link); }
nav ul { padding-left: 1.25rem; list-style: none; }
nav > ul { padding: 0; columns: 12rem; }
nav li { break-inside: avoid; }
.method { display: inline-block; padding: 0 .4rem; border: 1px solid currentcolor; border-radius: 4px; font-weight: bold; }
.get { color: light-dark(#0a6b2e, #7ee2a0); }
.post, .put, .patch { color: light-dark(#0b57d0, #8ab4f8); }
.delete { color: light-dark(#b3261e, #f2a19b); }
.scope, .type, .problems, .default, .required, .kind { color: var(--quiet); font-size: .875rem; }
.required { font-weight: normal; }
.table { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: .875rem; }
th, td { padding: .35rem .5rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; min-width: 6rem; }
tbody th { width: 14rem; font-weight: normal; }
tbody td:nth-child(2) { width: 16rem; }
.kind { margin-top: 1rem; }
@media (max-width: 40rem) {
  thead { position: absolute; clip-path: inset(50%); }
  tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  tbody th, tbody td, tbody td:nth-child(2) { display: block; width: auto; padding: 0; border: 0; }
}
`
