/** What each view is given. */
import type { FunctionComponent } from 'preact'
import type { Route } from './router.ts'

export interface ViewProps {
  readonly route: Route
}
export type View = FunctionComponent<ViewProps>
