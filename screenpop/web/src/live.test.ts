import { beforeEach, describe, expect, test } from 'vitest'
import { BACKOFF_CAP_MS, Live, SEEN_EVERY_MS, SIGN_IN_CODE, SILENCE_MS } from './live'
import type { ServerMessage, UnknownMessage } from './messages'
import type { Link } from './state'

/** A browser's socket as far as `Live` uses it; the test plays the server. */
class FakeSocket {
  readyState = 0
  sent: unknown[] = []
  onopen: (() => void) | null = null
  onclose: ((event: { code: number }) => void) | null = null
  onmessage: ((event: { data: unknown }) => void) | null = null

  constructor(readonly url: string) {}

  send(text: string): void {
    this.sent.push(JSON.parse(text))
  }

  close(code = 1006): void {
    if (this.readyState === 3) return
    this.readyState = 3
    this.onclose?.({ code })
  }

  accept(): void {
    this.readyState = 1
    this.onopen?.()
  }

  say(message: object): void {
    this.onmessage?.({ data: JSON.stringify({ now: 1, ...message }) })
  }
}

/** A browser with a clock that only moves when told. */
class FakeBrowser {
  ms = 0
  sockets: FakeSocket[] = []
  session: 'in' | 'out' | 'unknown' = 'in'
  online = true
  #timers = new Map<number, { at: number; run: () => void }>()
  #next = 1

  around = {
    open: (url: string) => {
      const socket = new FakeSocket(url)
      this.sockets.push(socket)
      return socket as unknown as WebSocket
    },
    setTimer: (run: () => void, ms: number) => {
      this.#timers.set(this.#next, { at: this.ms + ms, run })
      return this.#next++
    },
    clearTimer: (timer: number) => void this.#timers.delete(timer),
    random: () => 1,
    nowMs: () => this.ms,
    isOnline: () => this.online,
    askSession: () => Promise.resolve(this.session),
  }

  async pass(ms: number): Promise<void> {
    const end = this.ms + ms
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.at <= end).sort((a, b) => a[1].at - b[1].at)[0]
      if (due === undefined) break
      this.#timers.delete(due[0])
      this.ms = due[1].at
      due[1].run()
      await Promise.resolve()
      await Promise.resolve()
    }
    this.ms = end
  }

  get last(): FakeSocket {
    const socket = this.sockets.at(-1)
    if (socket === undefined) throw new Error('no socket was opened')
    return socket
  }
}

let browser: FakeBrowser
let heard: (ServerMessage | UnknownMessage)[]
let links: Link['word'][]
let lost: number
let live: Live

beforeEach(() => {
  browser = new FakeBrowser()
  heard = []
  links = []
  lost = 0
  live = new Live('ws://x/api/desk', browser.around, {
    received: (message) => heard.push(message),
    linkChanged: (link) => links.push(link.word),
    sessionLost: () => (lost += 1),
  })
  live.start()
})

function connect(): FakeSocket {
  browser.last.accept()
  browser.last.say({ type: 'snapshot', seq: 3, stream: 's 1' })
  return browser.last
}

describe('resume', () => {
  test('starts fresh, then asks for what came after the last number', async () => {
    expect(browser.last.url).toBe('ws://x/api/desk')
    connect().say({ type: 'queues', seq: 4 })
    browser.last.close()
    await browser.pass(400)
    expect(browser.last.url).toBe('ws://x/api/desk?after=4&stream=s%201')
    expect(links).toEqual(['connecting', 'connected', 'reconnecting'])
  })

  test('hands on each number once', () => {
    const socket = connect()
    socket.say({ type: 'queues', seq: 4 })
    socket.say({ type: 'queues', seq: 4 })
    expect(heard.map((message) => message.seq)).toEqual([3, 4])
  })

  test('a hole in the numbers is not skipped: it resumes from before the hole', async () => {
    connect().say({ type: 'queues', seq: 6 })
    expect(heard.map((message) => message.seq)).toEqual([3])
    await browser.pass(400)
    expect(browser.last.url).toContain('after=3')
  })

  test('a late word of a dropped socket is not heard', async () => {
    const old = connect()
    live.networkLost()
    old.say({ type: 'queues', seq: 4 })
    expect(heard.map((message) => message.seq)).toEqual([3])
  })
})

describe('coming back', () => {
  test('waits longer each time, up to a cap, and starts over after a message', async () => {
    const waits: number[] = []
    for (let attempt = 0; attempt < 7; attempt += 1) {
      browser.last.close()
      const before = browser.ms
      const opened = browser.sockets.length
      while (browser.sockets.length === opened) await browser.pass(100)
      waits.push(browser.ms - before)
    }
    expect(waits).toEqual([400, 800, 1600, 3200, 6400, BACKOFF_CAP_MS, BACKOFF_CAP_MS])
    connect().close()
    await browser.pass(400)
    expect(browser.last.readyState).toBe(0)
  })

  test('tries at once when the network is back', () => {
    connect()
    browser.online = false
    live.networkLost()
    expect(links.at(-1)).toBe('offline')
    live.retryNow()
    expect(browser.sockets).toHaveLength(2)
  })

  test('a refused connection with a lost session ends it', async () => {
    browser.session = 'out'
    browser.last.close()
    await browser.pass(0)
    await Promise.resolve()
    expect(lost).toBe(1)
    await browser.pass(60_000)
    expect(browser.sockets).toHaveLength(1)
  })

  test('the server asking for a sign-in ends it without a question', async () => {
    connect().close(SIGN_IN_CODE)
    expect(lost).toBe(1)
    await browser.pass(60_000)
    expect(browser.sockets).toHaveLength(1)
  })

  test('long silence is probed, and a dead server noticed', async () => {
    connect()
    await browser.pass(SILENCE_MS)
    expect(browser.last.readyState).toBe(1)
    browser.session = 'unknown'
    await browser.pass(SILENCE_MS)
    expect(links.at(-1)).toBe('reconnecting')
  })

  test('stopped means stopped', async () => {
    connect()
    live.stop()
    await browser.pass(60_000)
    expect(browser.sockets).toHaveLength(1)
    expect(links).toEqual(['connecting', 'connected'])
  })
})

test('tells what it has seen, at most every few seconds', async () => {
  const socket = connect()
  socket.say({ type: 'queues', seq: 4 })
  await browser.pass(SEEN_EVERY_MS)
  await browser.pass(SEEN_EVERY_MS)
  expect(socket.sent).toEqual([{ type: 'seen', seq: 4 }])
})

test('sending needs an open connection', () => {
  expect(live.send({ type: 'seen', seq: 1 })).toBe(false)
  connect()
  expect(live.send({ type: 'seen', seq: 1 })).toBe(true)
})
