/** What is not the API: the page, and the answer where there is nothing. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { printable } from '../reply.ts'
import type { Api } from './endpoint.ts'
import type { PageFile, PageFiles } from './page-files.ts'
import { fail } from './problem.ts'

export interface PageOptions {
  readonly files: PageFiles
  /** Knows what may be done at the paths of the API. */
  readonly api: Pick<Api, 'methodsAt' | 'count'>
}

export function addPage(server: FastifyInstance, { files, api }: PageOptions): void {
  // Before a body is read, which nobody here would look at.
  server.addHook('onRequest', async (request, reply) => {
    if (!request.is404) return
    api.count(request)
    const path = request.url.split('?', 1)[0]!
    const page = await files.read()
    const file = page?.get(path)
    if (file !== undefined && isRead(request)) return sendFile(file, request, reply)
    if (page === null && path === '/' && isRead(request))
      return fail(reply, 503, 'The page is not built: npm run build makes it')
    return sendNothing(file === undefined ? api.methodsAt(path) : ['GET', 'HEAD'], request, reply)
  })
}

const isRead = ({ method }: FastifyRequest): boolean => method === 'GET' || method === 'HEAD'

function sendNothing(
  allowed: readonly string[],
  { method, url }: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const nothing = `There is nothing to ${method} at ${printable(url)}`
  if (allowed.length === 0) return fail(reply, 404, nothing)
  reply.header('allow', allowed.join(', '))
  return fail(reply, 405, `${nothing}; there is something to ${allowed.join(', ')}`)
}

function sendFile(file: PageFile, { headers, method }: FastifyRequest, reply: FastifyReply): FastifyReply {
  reply.headers({ 'cache-control': file.cacheControl, etag: file.etag })
  if (headers['if-none-match'] === file.etag) return reply.code(304).send()
  reply.code(200).type(file.type)
  if (method === 'HEAD') return reply.header('content-length', file.bytes.length).send()
  return reply.send(file.bytes)
}
