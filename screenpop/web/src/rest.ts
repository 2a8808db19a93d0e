/** The few REST calls of the desktop. Every call has a limit; a failure is a value, not an exception. */

export const CALL_LIMIT_MS = 8_000

export interface Account {
  id: string
  name: string
  roles: string[]
  extension: string
}

export type SignInAnswer =
  | { word: 'in'; account: Account }
  | { word: 'wrong' }
  | { word: 'slow_down'; seconds: number }
  | { word: 'failed'; text: string }

export async function signIn(username: string, password: string): Promise<SignInAnswer> {
  const response = await call('POST', { username, password })
  if (response === null) return { word: 'failed', text: 'The server cannot be reached. Check the network and try again.' }
  if (response.ok) return { word: 'in', account: (await response.json()) as Account }
  if (response.status === 401) return { word: 'wrong' }
  if (response.status === 429) return { word: 'slow_down', seconds: retryAfter(response) }
  return { word: 'failed', text: `The server could not sign you in (status ${response.status}). Try again in a moment.` }
}

function retryAfter(response: Response): number {
  const seconds = Number(response.headers.get('Retry-After'))
  return Number.isFinite(seconds) && seconds > 0 ? Math.ceil(seconds) : 30
}

/** `in`: this browser is signed in. `unknown`: the server could not be asked. */
export async function askSession(): Promise<'in' | 'out' | 'unknown'> {
  const response = await call('GET')
  if (response?.ok) return 'in'
  return response?.status === 401 ? 'out' : 'unknown'
}

/** True when the server confirmed it. */
export async function signOut(): Promise<boolean> {
  const response = await call('DELETE')
  return response !== null && (response.ok || response.status === 401)
}

async function call(method: string, body?: object): Promise<Response | null> {
  const headers: Record<string, string> = { 'X-Callyard': '1' }
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  try {
    return await fetch('/api/session', {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      credentials: 'same-origin',
      cache: 'no-store',
      signal: AbortSignal.timeout(CALL_LIMIT_MS),
    })
  } catch {
    return null
  }
}
