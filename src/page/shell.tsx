/** The frame around each view: the bar at the top, the navigation, what is told, and the login where it is needed. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { answering } from './client.ts'
import mark from './icon.svg'
import { languages, useLanguage } from './language.ts'
import { LoginDialog, LoginView } from './login.tsx'
import { Button } from './parts/button.tsx'
import { Icon } from './parts/icon.tsx'
import { Page } from './parts/page.tsx'
import { Empty, Skeleton } from './parts/shown.tsx'
import { ToldList, tell } from './parts/told.tsx'
import { hrefTo, type Route, useRoute } from './router.ts'
import { logOut, useSession } from './session.ts'
import { useStore } from './store.ts'
import { themes, useTheme } from './theme.ts'
import { firstView, groups, viewOf } from './views.tsx'
import { useFrameWords } from './words.ts'

export function Shell() {
  const words = useFrameWords()
  const session = useSession()
  const asked = useRoute()
  const route = asked.view === '' ? { ...asked, view: firstView } : asked
  const [open, setOpen] = useState(false)
  const menu = useRef<HTMLDivElement>(null)
  const inside = session.state === 'open' || session.state === 'over'
  useEffect(() => setOpen(false), [asked])
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById('content')?.focus()}>
        {words.skip}
      </button>
      <header class="bar" ref={menu}>
        {inside && (
          <div class="bar-menu">
            <Button
              kind="quiet"
              icon="menu"
              iconOnly
              expanded={open}
              controls="navigation"
              onClick={() => setOpen(!open)}
            >
              {words.menu}
            </Button>
          </div>
        )}
        <a class="product" href={hrefTo(firstView)}>
          <img src={mark} alt="" width="24" height="24" />
          {words.product}
        </a>
        <Preferences />
      </header>
      <Banner />
      <div class={inside ? 'frame' : 'frame alone'}>
        {inside && (
          <Navigation
            open={open}
            route={route}
            onEscape={() => {
              setOpen(false)
              menu.current?.querySelector<HTMLElement>('.bar-menu button')?.focus()
            }}
          />
        )}
        <main id="content" tabIndex={-1}>
          {session.state === 'asking' && <Skeleton />}
          {session.state === 'none' && <LoginView />}
          {inside && <Viewed route={route} />}
        </main>
      </div>
      {session.state === 'over' && <LoginDialog />}
      <ToldList />
    </>
  )
}

function Viewed({ route }: { route: Route }) {
  const words = useFrameWords()
  const View = viewOf(route.view)
  if (View === null)
    return (
      <Page title={words.notFound}>
        <Empty title={words.notFoundHint} />
      </Page>
    )
  return <View key={route.view} route={route} />
}

function Navigation({ open, route, onEscape }: { open: boolean; route: Route; onEscape(): void }) {
  const words = useFrameWords()
  return (
    <nav
      id="navigation"
      class={open ? 'navigation open' : 'navigation'}
      aria-label={words.navigation}
      onKeyDown={(event) => {
        if (event.key === 'Escape' && open) onEscape()
      }}
    >
      {groups.map(({ title, views }) => (
        <div key={title} class="navigation-group">
          {title !== null && (
            <p class="navigation-title" id={`navigation-${title}`}>
              {words[title]}
            </p>
          )}
          <ul aria-labelledby={title === null ? undefined : `navigation-${title}`}>
            {views.map((view) => (
              <li key={view}>
                <a href={hrefTo(view)} aria-current={route.view === view ? 'page' : undefined}>
                  {words.views[view]}
                </a>
              </li>
            ))}
          </ul>
        </div>
      ))}
      <Account />
    </nav>
  )
}

function Account() {
  const words = useFrameWords()
  const session = useSession()
  if (session.state !== 'open' && session.state !== 'over') return null
  const scope = (['admin', 'operate', 'read'] as const).find((one) => session.scopes.includes(one)) ?? 'read'
  return (
    <div class="account">
      <Icon name="user" />
      <div class="account-name">
        <span>{session.name}</span>
        <span class="hint">{words.scopes[scope]}</span>
      </div>
      <Button kind="quiet" onClick={() => void logOut().catch(() => tell(words.noAnswerShort, 'bad'))}>
        {words.logOut}
      </Button>
    </div>
  )
}

function Preferences() {
  const words = useFrameWords()
  const { language, choose } = useLanguage()
  const { theme, choose: chooseTheme } = useTheme()
  return (
    <div class="preferences">
      <select
        aria-label={words.language}
        title={words.language}
        value={language}
        onChange={(event) => choose(languages.find((one) => one === event.currentTarget.value) ?? 'en')}
      >
        {languages.map((one) => (
          <option key={one} value={one} lang={one} selected={one === language}>
            {words.languages[one]}
          </option>
        ))}
      </select>
      <select
        aria-label={words.theme}
        title={words.theme}
        value={theme}
        onChange={(event) => chooseTheme(themes.find((one) => one === event.currentTarget.value) ?? 'auto')}
      >
        {themes.map((one) => (
          <option key={one} value={one} selected={one === theme}>
            {words.themes[one]}
          </option>
        ))}
      </select>
    </div>
  )
}

function Banner() {
  const words = useFrameWords()
  const answers = useStore(answering)
  return (
    <div role="status" aria-live="polite">
      {!answers && (
        <div class="banner">
          <Icon name="warning" />
          {words.noAnswer}
        </div>
      )}
    </div>
  )
}
