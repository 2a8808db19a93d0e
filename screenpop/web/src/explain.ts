/** Words for codes: states, reasons, outcomes, and why this agent got this call. Pure. */

import type { Agent, AgentWord, Choice, Emergency, QueueTotals, WhyMe, Work } from './messages'
import { countText, dayText, numberText, titleText, wordText } from './format'

export interface StateWord {
  word: string
  /** Names both the colour and the sign. */
  look: 'off' | 'pause' | 'ready' | 'ring' | 'talk' | 'wrap' | 'trouble'
}

const STATE_WORDS: Record<AgentWord, StateWord> = {
  logged_out: { word: 'Off duty', look: 'off' },
  not_ready: { word: 'Not ready', look: 'pause' },
  ready: { word: 'Ready', look: 'ready' },
  reserved: { word: 'Ringing', look: 'ring' },
  talking: { word: 'Talking', look: 'talk' },
  wrap_up: { word: 'Wrap-up', look: 'wrap' },
  phone_busy: { word: 'Phone busy', look: 'trouble' },
  phone_gone: { word: 'Phone gone', look: 'trouble' },
  desktop_gone: { word: 'Reconnecting', look: 'trouble' },
}

export function stateWord(state: AgentWord): StateWord {
  return STATE_WORDS[state] ?? { word: titleText(state), look: 'pause' }
}

/** What an agent is held for while the customer's phone rings, not theirs. */
export const CALLING_BACK = 'Calling the customer back'

/** A message that a caller left: nothing rings, nobody is on the line. */
export function isMessage(work: Work): boolean {
  return work.medium === 'message'
}

const MESSAGE_WORDS: Partial<Record<AgentWord, string>> = { reserved: 'New message', talking: 'Message' }

/** The agent's state with the work in hand: held is not ringing while the customer is being called. */
export function agentWord(agent: Agent, work: Work | null): StateWord {
  const shown = stateWord(agent.state)
  if (work !== null && isMessage(work) && MESSAGE_WORDS[agent.state] !== undefined) {
    return { ...shown, word: MESSAGE_WORDS[agent.state] ?? shown.word }
  }
  return agent.state === 'reserved' && work?.calling_back === true ? { ...shown, word: CALLING_BACK } : shown
}

/** Reasons the system sets itself. A site's own stand in its files and come with a title. */
const SYSTEM_REASONS: Record<string, string> = {
  no_answer: 'No answer',
  rejected: 'Call declined',
  phone_failed: 'Phone not reached',
  desktop_lost: 'Desktop was gone',
}

export function reasonTitle(code: string, reasons: readonly Choice[]): string {
  if (code === '') return ''
  return reasons.find((reason) => reason.code === code)?.title ?? SYSTEM_REASONS[code] ?? titleText(code)
}

/** `Billing is closed until 15:00: fire drill`: an order in force, in one line. */
export function emergencyText(order: Emergency, queues: readonly QueueTotals[], now: number): string {
  const reason = order.reason === '' ? '' : `: ${order.reason}`
  return `${whatIsOrdered(order, queues)}${untilText(order.ends_at, now)}${reason}`
}

function whatIsOrdered({ kind, target, texts }: Emergency, queues: readonly QueueTotals[]): string {
  if (kind === 'close_queue') return `${queues.find((each) => each.queue === target)?.title ?? target} is closed`
  if (kind === 'close_number') return `The number ${numberText(`+${target}`)} is closed`
  const whose = target === '' ? 'All callers' : `Callers of ${numberText(`+${target}`)}`
  return `${whose} hear “${Object.values(texts)[0] ?? ''}” first`
}

function untilText(at: number, now: number): string {
  return at === 0 ? '' : ` until ${dayText(at, now).replace(/^Today, /, '')}`
}

export interface Advice {
  headline: string
  text: string
  /** The next thing to do is to become ready. */
  offersReady: boolean
}

/** For somebody signed in who is no agent. */
export const NO_AGENT: Advice = {
  headline: 'You take no calls here',
  text: 'You are signed in, but not set up as an agent. Ask your administrator for the role and for queues.',
  offersReady: false,
}

/** While the page has no connection, whatever the last known state says. */
export const NO_CONNECTION: Advice = {
  headline: 'Not connected',
  text: 'No new calls come to you while this page has no connection. It comes back by itself; what you chose is sent then.',
  offersReady: false,
}

const ENDINGS: Record<string, string> = {
  signed_out: 'You are signed out.',
  revoked: 'Your sign-in was withdrawn by an administrator.',
  ended: 'Your session has ended. Sign in again.',
}

/** Why the session ended, for the sign-in screen. */
export function endingText(reason: string): string {
  return ENDINGS[reason] ?? (reason === '' ? '' : `Signed out: ${wordText(reason)}.`)
}

/** What an agent without a call reads: what happens next, or what stops it. */
export function advice(agent: Agent, extension: string, reasons: readonly Choice[]): Advice {
  if (agent.presence === 'logged_out') {
    const text = 'You are signed in. Callers reach you once you go ready.'
    return { headline: 'Not taking calls yet', text, offersReady: true }
  }
  if (agent.presence === 'not_ready') return notReadyAdvice(agent, reasons)
  switch (agent.state) {
    case 'phone_gone': {
      const phone = extension === '' ? 'Your phone' : `Your phone ${extension}`
      const text = `${phone} is not connected. You get calls again as soon as it is back; you need not do anything here.`
      return { headline: 'No calls: your phone is gone', text, offersReady: false }
    }
    case 'phone_busy': {
      const text = 'Your phone is in a call that did not come from a queue. Queue calls go on when it ends.'
      return { headline: 'Your phone is busy', text, offersReady: false }
    }
    case 'desktop_gone': {
      const text = 'The server does not see this page yet. Calls go on as soon as it does.'
      return { headline: 'Connecting your desktop', text, offersReady: false }
    }
    default: {
      const text = 'The next caller appears here before your phone rings. Nothing to do until then.'
      return { headline: 'You are ready', text, offersReady: false }
    }
  }
}

function notReadyAdvice(agent: Agent, reasons: readonly Choice[]): Advice {
  const code = agent.presence_reason || agent.reason
  const told: Record<string, string> = {
    no_answer: 'The last call rang without an answer, so no more calls come until you are back.',
    rejected: 'You declined the last call, so no more calls come until you go ready.',
    phone_failed: 'Your phone could not be rung. Check it, then go ready.',
    desktop_lost: 'This page was away for a while, so calls were stopped. Go ready to take calls again.',
  }
  const title = reasonTitle(code, reasons)
  const headline = title === '' ? 'You are not ready' : `Not ready: ${title}`
  return { headline, text: told[code] ?? 'No calls come to you until you go ready.', offersReady: true }
}

/** Why this agent, in one sentence; the second says who was passed over, or is empty. */
export function whyMe(reason: WhyMe | null): { why: string; others: string } {
  if (reason === null || reason.rule === '') return { why: 'The server gave no reason.', others: '' }
  return { why: ruleText(reason), others: passedOverText(reason) }
}

function ruleText(reason: WhyMe): string {
  if (reason.rule === 'ring_all' && reason.passed_over.some(([code]) => code === 'rung_together')) {
    return 'It rings at several agents at once: who answers first has the caller.'
  }
  if (reason.rule !== 'longest_idle') return `Chosen by the rule “${wordText(reason.rule)}”.`
  const idleSince = reason.key.find(([label]) => label === 'idle_since')?.[1]
  const since = typeof idleSince === 'number' && idleSince > 0 ? `, since ${timeOfDay(idleSince)}` : ''
  const rival = (reason.runner_up ?? '') === ''
  return rival
    ? `You were the only one free for this caller${since}.`
    : `You had been free the longest of those who can take this caller${since}.`
}

function timeOfDay(at: number): string {
  return new Date(at / 1000).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })
}

const PASSED_OVER: Record<string, string> = {
  less_idle: 'free for less time',
  rung_together: 'rung at the same time',
  not_ready: 'not ready',
  logged_out: 'off duty',
  reserved: 'being rung',
  talking: 'talking',
  wrap_up: 'in wrap-up',
  phone_busy: 'on the phone otherwise',
  phone_gone: 'without a phone',
  desktop_gone: 'without a desktop',
}

function passedOverText(reason: WhyMe): string {
  const groups = reason.passed_over.map(([code, count]) => {
    const skill = /^skill:(.+)$/.exec(code)?.[1]
    const words = skill === undefined ? (PASSED_OVER[code] ?? wordText(code)) : `without the skill ${wordText(skill)}`
    return `${count} ${words}`
  })
  return groups.length === 0 ? '' : `Others: ${groups.join(', ')}.`
}

/** Who is calling, in as few words as are true. */
export function callerTitle(work: Work): string {
  if (work.customer !== null) return work.customer.name
  switch (work.match) {
    case 'several':
      return `One of ${countText(work.candidates.length, 'customer', 'customers')}`
    case 'withheld':
      return 'Number withheld'
    case 'none':
      return work.caller_kind === 'internal' ? 'A colleague' : 'New caller'
    case 'one':
    case 'unavailable':
      return callerNumber(work)
  }
}

/** Where it rings from, as a person writes it. */
export function callerNumber(work: Work): string {
  if (work.caller_kind === 'withheld' || (work.caller === '' && work.caller_text === '')) return 'Number withheld'
  const text = work.caller_text || numberText(work.caller)
  return work.caller_kind === 'internal' ? `Extension ${text}` : text
}

const OUTCOMES: Record<string, string> = {
  served: 'Served',
  self_served: 'Self-service',
  voicemail: 'Left a message',
  abandoned_in_flow: 'Hung up in the menu',
  abandoned_in_queue: 'Hung up while waiting',
  abandoned_ringing: 'Hung up while ringing',
  callback_failed: 'Call-back failed',
  transferred_out: 'Transferred out',
  refused: 'Refused',
  lost: 'Lost by a fault',
}

export function outcomeText(code: string): string {
  return OUTCOMES[code] ?? titleText(code)
}

export function dispositionTitle(code: string, dispositions: readonly Choice[]): string {
  return dispositions.find((disposition) => disposition.code === code)?.title ?? titleText(code)
}
