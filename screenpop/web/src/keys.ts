/** Which key does what. Pure, so that it can be tested and shown in one place. */

import type { Stage } from './messages'

export type KeyAction =
  | { do: 'ready' }
  | { do: 'not_ready' }
  | { do: 'accept' }
  | { do: 'decline' }
  | { do: 'play' }
  | { do: 'done' }
  | { do: 'note' }
  | { do: 'finish' }
  | { do: 'more_time' }
  | { do: 'keys' }
  | { do: 'disposition'; index: number }

export interface KeyPress {
  key: string
  shift: boolean
  /** Control or Command. */
  control: boolean
  alt: boolean
  repeat: boolean
}

export type Focus = 'page' | 'control' | 'typing'

/** What a key press means here, or null. Nothing but Ctrl+Enter has a meaning while typing. */
export function keyAction(press: KeyPress, focus: Focus, stage: Stage | null): KeyAction | null {
  if (press.alt || press.repeat) return null
  if (press.key === 'Enter') return enter(press, focus, stage)
  if (press.control || focus === 'typing') return null
  if (press.key === '?') return { do: 'keys' }
  const key = press.key.toLowerCase()
  if (press.shift) return key === 'd' && stage === 'offered' ? { do: 'decline' } : null
  if (key === 'r') return { do: 'ready' }
  if (key === 'n') return { do: 'not_ready' }
  if (key === 'a' && stage === 'offered') return { do: 'accept' }
  if (stage !== 'talking' && stage !== 'wrap_up') return null
  if (key === 'p') return { do: 'play' }
  if (key === 'e' && stage === 'talking') return { do: 'done' }
  if (key === 't' && stage === 'wrap_up') return { do: 'more_time' }
  if (key === 'm') return { do: 'note' }
  if (/^[1-9]$/.test(key)) return { do: 'disposition', index: Number(key) - 1 }
  return null
}

/** Enter finishes the wrap-up, unless it belongs to a button or to a text. */
function enter(press: KeyPress, focus: Focus, stage: Stage | null): KeyAction | null {
  if (stage !== 'wrap_up') return null
  return press.control || focus === 'page' ? { do: 'finish' } : null
}

export const KEYS: { keys: string[]; what: string }[] = [
  { keys: ['R'], what: 'Ready for calls' },
  { keys: ['N'], what: 'Not ready: opens the reasons' },
  { keys: ['Shift', 'D'], what: 'Decline the ringing call, or a message' },
  { keys: ['A'], what: 'Accept a message' },
  { keys: ['P'], what: 'Play or pause the message' },
  { keys: ['E'], what: 'Done with the message: wrap-up begins' },
  { keys: ['1', '–', '9'], what: 'Choose the result, during and after a call' },
  { keys: ['M'], what: 'Write a note' },
  { keys: ['T'], what: 'More time for the wrap-up' },
  { keys: ['Enter'], what: 'Finish the wrap-up' },
  { keys: ['Ctrl', 'Enter'], what: 'Finish the wrap-up while writing the note' },
  { keys: ['?'], what: 'This list' },
  { keys: ['Esc'], what: 'Close a list or dialog' },
]
