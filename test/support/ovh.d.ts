/** What the tests use of OVHcloud's client, which has no types of its own. */
declare module 'ovh' {
  interface Parameters {
    readonly appKey: string
    readonly appSecret: string
    readonly consumerKey: string
    readonly host: string
    readonly port?: number
    readonly basePath?: string
  }
  interface Client {
    signRequest(method: string, url: string, body: string | null, timestamp: string | number): string
    requestPromised(method: string, path: string, parameters?: object): Promise<unknown>
  }
  export default function ovh(parameters: Parameters): Client
}
