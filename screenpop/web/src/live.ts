/**
 * Owns the WebSocket: opens it, numbers what came, resumes after a loss, gives up never.
 *
 * Theory of operation. A fresh connection starts with a snapshot. After a loss the next one asks for
 * everything after the last number received; the server answers with what was missed or with a snapshot.
 * A hole in the numbers (never in one connection, by contract) makes us resume at once from before the hole.
 * A connection that never opened may mean a lost session: one REST call tells. Silence of `SILENCE_MS` is
 * probed the same way, because a browser does not notice a dead link for many minutes.
 */

import type { DesktopMessage, ServerMessage, UnknownMessage } from './messages'
import { parseMessage } from './messages'
import type { Link } from './state'

export const BACKOFF_FIRST_MS = 400
export const BACKOFF_CAP_MS = 10_000
export const SEEN_EVERY_MS = 5_000
export const SILENCE_MS = 30_000
export const OPEN_LIMIT_MS = 10_000
/** The server's close code for: sign in (again). */
export const SIGN_IN_CODE = 4401

/** What the socket needs of a browser; a test hands in its own. */
export interface Surroundings {
  open(url: string): WebSocket
  setTimer(run: () => void, ms: number): number
  clearTimer(timer: number): void
  random(): number
  nowMs(): number
  /** Whether the machine says it has a network at all. */
  isOnline(): boolean
  /** Is this session still good? `unknown` when the server cannot be asked. */
  askSession(): Promise<'in' | 'out' | 'unknown'>
}

export interface Listener {
  received(message: ServerMessage | UnknownMessage): void
  linkChanged(link: Link): void
  /** The session is over for a reason that no message told. */
  sessionLost(): void
}

type Timer = number | null

export class Live {
  readonly #url: string
  readonly #around: Surroundings
  readonly #listener: Listener
  #socket: WebSocket | null = null
  #stream = ''
  #seq = 0
  #seenSeq = 0
  #attempts = 0
  #stopped = true
  #retry: Timer = null
  #seen: Timer = null
  #watch: Timer = null

  constructor(url: string, around: Surroundings, listener: Listener) {
    this.#url = url
    this.#around = around
    this.#listener = listener
  }

  start(): void {
    this.#stopped = false
    this.#listener.linkChanged({ word: 'connecting' })
    this.#connect()
  }

  /** Ends for good; nothing is reported afterwards. */
  stop(): void {
    this.#stopped = true
    this.#dropSocket()
    this.#clear()
  }

  /** True when it was handed to an open connection; not a promise that it arrived. */
  send(message: DesktopMessage): boolean {
    if (this.#socket === null || this.#socket.readyState !== 1) return false
    this.#socket.send(JSON.stringify(message))
    return true
  }

  /** The network is back, or the person asks: try now instead of after the wait. */
  retryNow(): void {
    if (this.#stopped || this.#socket !== null) return
    this.#attempts = 0
    this.#connect()
  }

  /** The machine says the network is gone: do not trust the open connection. */
  networkLost(): void {
    if (this.#stopped) return
    this.#dropSocket()
    this.#wait()
  }

  #address(): string {
    if (this.#stream === '') return this.#url
    return `${this.#url}?after=${this.#seq}&stream=${encodeURIComponent(this.#stream)}`
  }

  #connect(): void {
    this.#clear()
    const socket = this.#around.open(this.#address())
    this.#socket = socket
    let opened = false
    const limit = this.#around.setTimer(() => socket.close(), OPEN_LIMIT_MS)
    socket.onopen = () => {
      opened = true
      this.#around.clearTimer(limit)
      this.#listener.linkChanged({ word: 'connected' })
      this.#watchSilence()
    }
    socket.onmessage = (event) => this.#take(socket, event.data)
    socket.onclose = (event) => {
      this.#around.clearTimer(limit)
      if (this.#socket !== socket) return
      this.#socket = null
      if (event.code === SIGN_IN_CODE) return this.#endSession()
      this.#wait()
      if (!opened) void this.#checkSession()
    }
  }

  #take(socket: WebSocket, data: unknown): void {
    if (this.#socket !== socket) return
    const message = parseMessage(data)
    if (message === null) return
    this.#watchSilence()
    if (message.type === 'snapshot') {
      this.#stream = message.stream
    } else if (message.seq <= this.#seq) {
      return
    } else if (message.seq > this.#seq + 1) {
      this.#dropSocket()
      this.#wait()
      return
    }
    this.#attempts = 0
    this.#seq = message.seq
    this.#acknowledgeSoon()
    this.#listener.received(message)
  }

  /** Waits half to all of the step, so that a thousand desktops do not come back in one instant. */
  #wait(): void {
    this.#clear()
    const step = Math.min(BACKOFF_CAP_MS, BACKOFF_FIRST_MS * 2 ** Math.min(this.#attempts, 10))
    const delay = step * (0.5 + this.#around.random() / 2)
    this.#attempts += 1
    this.#listener.linkChanged(
      this.#around.isOnline()
        ? { word: 'reconnecting', retryAt: this.#around.nowMs() + delay, attempts: this.#attempts }
        : { word: 'offline' },
    )
    this.#retry = this.#around.setTimer(() => this.#connect(), delay)
  }

  async #checkSession(): Promise<void> {
    const answer = await this.#around.askSession()
    if (answer === 'out') this.#endSession()
  }

  #endSession(): void {
    if (this.#stopped) return
    this.stop()
    this.#listener.sessionLost()
  }

  #acknowledgeSoon(): void {
    if (this.#seen !== null) return
    this.#seen = this.#around.setTimer(() => {
      this.#seen = null
      if (this.#seq > this.#seenSeq && this.send({ type: 'seen', seq: this.#seq })) this.#seenSeq = this.#seq
    }, SEEN_EVERY_MS)
  }

  #watchSilence(): void {
    if (this.#watch !== null) this.#around.clearTimer(this.#watch)
    this.#watch = this.#around.setTimer(() => void this.#probe(), SILENCE_MS)
  }

  async #probe(): Promise<void> {
    const socket = this.#socket
    const answer = await this.#around.askSession()
    if (this.#stopped || this.#socket !== socket || socket === null) return
    if (answer === 'out') {
      this.#endSession()
    } else if (answer === 'unknown') {
      this.#dropSocket()
      this.#wait()
    } else {
      this.#watchSilence()
    }
  }

  #dropSocket(): void {
    const socket = this.#socket
    this.#socket = null
    socket?.close()
  }

  #clear(): void {
    for (const timer of [this.#retry, this.#seen, this.#watch]) {
      if (timer !== null) this.#around.clearTimer(timer)
    }
    this.#retry = this.#seen = this.#watch = null
  }
}
