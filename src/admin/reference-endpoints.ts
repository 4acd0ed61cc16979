/** What the API says of itself: the OpenAPI document, and a page of the same for people. */
import { z } from 'zod'
import { type Endpoint, endpoint } from './endpoint.ts'
import { type OpenApiDocument, openApi } from './openapi.ts'
import { referencePage, referenceStyle } from './reference-page.ts'

export interface ReferenceEndpointsOptions {
  /** All there are, these too; asked when somebody reads, for more may be added behind these. */
  readonly endpoints: () => readonly Endpoint[]
  readonly version: string
}

export function referenceEndpoints(options: ReferenceEndpointsOptions): Endpoint[] {
  const reference = new Reference(options)
  const common = { method: 'GET', scope: null, part: 'Reference' } as const
  return [
    endpoint({
      ...common,
      path: '/openapi.json',
      summary: 'This API as an OpenAPI 3.1 document',
      answer: z.looseObject({ openapi: z.string() }),
      handle: async () => ({ ...reference.document }),
    }),
    endpoint({
      ...common,
      path: '/reference',
      summary: 'This page',
      answer: z.string(),
      mediaType: 'text/html',
      handle: async ({ reply }) => reply.type('text/html; charset=utf-8').send(reference.page),
    }),
    endpoint({
      ...common,
      path: '/reference.css',
      summary: 'How the page looks',
      answer: z.string(),
      mediaType: 'text/css',
      handle: async ({ reply }) => reply.type('text/css; charset=utf-8').send(referenceStyle),
    }),
  ]
}

/** Made when somebody reads it first. */
class Reference {
  readonly #options: ReferenceEndpointsOptions
  #document: OpenApiDocument | null = null
  #page: string | null = null

  constructor(options: ReferenceEndpointsOptions) {
    this.#options = options
  }

  get document(): OpenApiDocument {
    this.#document ??= openApi(this.#options.endpoints(), this.#options)
    return this.#document
  }

  get page(): string {
    this.#page ??= referencePage(this.document)
    return this.#page
  }
}
