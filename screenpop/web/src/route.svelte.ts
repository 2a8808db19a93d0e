/** Which page is shown: `#/flows/main` is the page `flows` with `main`; nothing is the desktop. */

export interface Place {
  page: string
  rest: string
}

export function placeOf(hash: string): Place {
  const [, page = '', rest = ''] = /^#\/([a-z]+)(?:\/(.*))?$/.exec(hash) ?? []
  try {
    return { page, rest: decodeURIComponent(rest) }
  } catch {
    return { page, rest: '' }
  }
}

export function hashOf(page: string, rest = ''): string {
  return page === '' ? '#/' : `#/${page}${rest === '' ? '' : `/${encodeURIComponent(rest)}`}`
}

class Route {
  #place = $state.raw<Place>({ page: '', rest: '' })

  constructor() {
    if (typeof window === 'undefined') return
    this.#place = placeOf(location.hash)
    window.addEventListener('hashchange', () => (this.#place = placeOf(location.hash)))
  }

  get page(): string {
    return this.#place.page
  }

  get rest(): string {
    return this.#place.rest
  }
}

export const route = new Route()

export function goTo(page: string, rest = ''): void {
  location.hash = hashOf(page, rest)
}
