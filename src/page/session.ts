/**
 * Who uses the page, and what he may do. The session is a cookie that no script can read; the page knows only the name
 * and the scopes. What a scope does not allow is shown all the same, disabled, with the reason.
 */
import type { Scope } from '../setup/token.ts'
import { answering, loggedOut, Problem, pathOf, read, write } from './client.ts'
import { readAllAgain } from './polling.ts'
import { Store, useStore } from './store.ts'

export interface Holder {
  readonly name: string
  readonly scopes: readonly Scope[]
}

/** `asking`: not known yet. `over`: there was one, so what is on the screen stays behind the login. */
export type Session =
  | { readonly state: 'asking' }
  | { readonly state: 'none' }
  | ({ readonly state: 'open' | 'over' } & Holder)

const session = new Store<Session>({ state: 'asking' })
const order: readonly Scope[] = ['read', 'operate', 'admin']
const path = pathOf(['session'])

loggedOut.watch(() => {
  if (session.value.state === 'open') session.set({ ...session.value, state: 'over' })
})

export function useSession(): Session {
  return useStore(session)
}

/** Whether the token allows this. */
export function useMay(needed: Scope): boolean {
  const now = useStore(session)
  if (now.state !== 'open' && now.state !== 'over') return false
  return now.scopes.some((scope) => order.indexOf(scope) >= order.indexOf(needed))
}

/** Asks until there is an answer. */
export async function resumeSession(): Promise<void> {
  for (;;) {
    try {
      session.set({ state: 'open', ...(await read<Holder>(path)) })
      return
    } catch (error) {
      if (error instanceof Problem && error.status === 401) return session.set({ state: 'none' })
      answering.set(false)
      await new Promise((resolve) => setTimeout(resolve, 2000))
    }
  }
}

/** Rejects with the `Problem`. */
export async function logIn(token: string): Promise<void> {
  session.set({ state: 'open', ...(await write<Holder>('POST', path, { token })) })
  readAllAgain()
}

export async function logOut(): Promise<void> {
  await write('DELETE', path)
  session.set({ state: 'none' })
}
