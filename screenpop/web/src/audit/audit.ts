/** The audit's rows, in words. Pure. */

export interface Deed {
  id: number
  /** Microseconds. */
  at: number
  actor: string
  action: string
  subject: string
  detail: Record<string, unknown>
}

export const KINDS: { kind: string; word: string }[] = [
  { kind: '', word: 'Everything' },
  { kind: 'flow_', word: 'Published and refused' },
  { kind: 'order_', word: 'Orders' },
  { kind: 'sign_', word: 'Signing in and out' },
  { kind: 'pin_', word: 'PINs' },
  { kind: 'message.', word: 'Messages heard' },
  { kind: 'recording.', word: 'Recordings heard' },
]

const WORDS: Record<string, string> = {
  flow_published: 'Published',
  flow_publish_refused: 'Publishing refused',
  flow_rolled_back: 'Rolled back',
  flow_roll_back_refused: 'Roll back refused',
  order_given: 'Order given',
  order_ended: 'Order ended',
  sign_in: 'Signed in',
  sign_in_refused: 'Sign-in refused',
  sign_out: 'Signed out',
  sessions_revoked: 'Sessions ended',
  callback_cancelled: 'Callback called off',
  pin_set: 'PIN set',
  pin_removed: 'PIN removed',
  'message.heard': 'Message heard',
  'recording.heard': 'Recording heard',
}

const WAYS: Record<string, string> = {
  web: 'on this page',
  command: 'by command',
  signal: 'by SIGHUP',
  watch: 'by watching the files',
  start: 'at the first start',
}

export function actionText(action: string): string {
  return WORDS[action] ?? action
}

export function isRefusal(action: string): boolean {
  return action.endsWith('_refused')
}

/** What it was done to, and how: in a sentence where we know the action, else as it stands. */
export function detailText(deed: Deed): string {
  const { detail } = deed
  if (deed.action.startsWith('flow_')) return flowText(detail)
  return [deed.subject === deed.actor ? '' : deed.subject, ...Object.entries(detail).map(pairText)].filter((each) => each !== '').join(' · ')
}

function flowText(detail: Deed['detail']): string {
  const from = Number(detail['from'] ?? 0)
  const to = Number(detail['to'] ?? 0)
  const of = Number(detail['of'] ?? 0)
  const way = WAYS[String(detail['way'])] ?? String(detail['way'] ?? '')
  const note = typeof detail['note'] === 'string' ? detail['note'] : ''
  const change = from === to ? `version ${to} stays live` : from === 0 ? `version ${to}` : `version ${from} → ${to}`
  const files = of === 0 ? '' : `files of version ${of}`
  return [change, files, way, note].filter((each) => each !== '').join(' · ')
}

function pairText([name, value]: [string, unknown]): string {
  if (value === '' || value === 0 || value === null) return ''
  return `${name} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`
}

/** Why somebody was refused. */
export function problemsOf(deed: Deed): string[] {
  const told = deed.detail['problems']
  return Array.isArray(told) ? told.map(String) : []
}
