/**
 * Where in the page one is: `#/connectors/29?tab=limits` is the view `connectors`, the parts `['29']`, and the query.
 * Links are plain `<a href>`, so that they can be opened, copied and gone back from like any other.
 */
import { Store, useStore } from './store.ts'

export interface Route {
  readonly view: string
  readonly parts: readonly string[]
  readonly query: URLSearchParams
}

const route = new Store<Route>(routeOf(location.hash))
addEventListener('hashchange', () => route.set(routeOf(location.hash)))

export function useRoute(): Route {
  return useStore(route)
}

/** The address of a place: `hrefTo('connectors', '29')`. */
export function hrefTo(view: string, ...parts: readonly string[]): string {
  return `#/${[view, ...parts].map(encodeURIComponent).join('/')}`
}

export function go(href: string, { replace = false } = {}): void {
  if (!replace) {
    location.hash = href
    return
  }
  history.replaceState(null, '', href)
  route.set(routeOf(location.hash))
}

function routeOf(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2)
  const [view = '', ...parts] = path.split('/').map(decoded)
  return { view, parts: parts.filter((part) => part !== ''), query: new URLSearchParams(query) }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
