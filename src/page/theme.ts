/** Dark or light: as the system says, unless somebody chose. The style sheet does the rest through `color-scheme`. */
import { remember, remembered, Store, useStore } from './store.ts'

export const themes = ['auto', 'light', 'dark'] as const
export type Theme = (typeof themes)[number]

const theme = new Store<Theme>(themes.find((one) => one === remembered('theme')) ?? 'auto')
const system = matchMedia('(prefers-color-scheme: dark)')
/** Drawn is what colours the page has now; a change means that a canvas has to be drawn again. */
const dark = new Store(isDark())

theme.watch(apply)
system.addEventListener('change', () => dark.set(isDark()))
apply()

export function useTheme(): { readonly theme: Theme; choose(theme: Theme): void } {
  return { theme: useStore(theme), choose }
}

/** For what is drawn on a canvas, which follows no style sheet. */
export function useDark(): boolean {
  return useStore(dark)
}

/** What a variable of the style sheet is now, as a colour that a canvas understands: `colourOf('--accent')`. */
export function colourOf(variable: string): string {
  const probe = document.createElement('span')
  probe.style.color = `var(${variable})`
  document.body.append(probe)
  const colour = getComputedStyle(probe).color
  probe.remove()
  return colour
}

function choose(chosen: Theme): void {
  remember('theme', chosen)
  theme.set(chosen)
}

function apply(): void {
  document.documentElement.dataset.theme = theme.value
  dark.set(isDark())
}

function isDark(): boolean {
  return theme.value === 'dark' || (theme.value === 'auto' && system.matches)
}
