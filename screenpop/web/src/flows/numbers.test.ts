import { expect, test } from 'vitest'
import {
  along, byNode, gone, meanText, NOTHING, rateText, spoken, totals, wayText,
  type FlowGraph, type FlowNumbers, type GraphNode, type NodeNumbers,
} from './numbers'

const NODE: GraphNode = { id: 'door', title: 'door', is_start: true, is_flow: false, lines: [] }
const GRAPH: FlowGraph = {
  flow: 'main',
  title: '',
  version: 'a',
  nodes: [NODE, { ...NODE, id: 'end', title: 'end', is_start: false }],
  edges: [
    { source: 'door', target: 'end', labels: ['1', '2'], ways: [{ step: 'door:0', way: 'keys.1' }, { step: 'door:0', way: 'keys.2' }] },
  ],
}

function node(name: string, more: Partial<NodeNumbers> = {}): NodeNumbers {
  return { ...NOTHING, node: name, steps: [], ...more }
}

function numbers(...nodes: NodeNumbers[]): FlowNumbers {
  const containment = { calls: 0, contained: 0, rate: null }
  return { flow: 'main', since: 0, until: 0, version: '', versions: [], containment, numbers: [], nodes }
}

const DOOR = node('door', {
  entered: 4,
  stayed_us: 10_000_000,
  hung_up: 1,
  now: 2,
  steps: [{ ...NOTHING, step: 'door:0', entered: 4, hung_up: 1, stayed_us: 9_000_000, left: { 'keys.1': 1, 'keys.2': 1, otherwise: 5 } }],
})

test('an arrow counts the ways that lead along it, and no other', () => {
  const [edge] = GRAPH.edges
  if (edge === undefined) throw new Error('no edge')
  expect(along(edge, byNode(numbers(DOOR)))).toBe(2)
  expect(along(edge, byNode(null))).toBe(0)
})

test('calls came in at the start; the rest is of all nodes', () => {
  const all = totals(GRAPH, numbers(DOOR, node('end', { entered: 9, hung_up: 2, now: 1 })))
  expect([all.entered, all.hung_up, all.now]).toEqual([4, 3, 3])
  expect(totals(null, null)).toEqual(NOTHING)
})

test('nodes of earlier versions are told apart', () => {
  expect(gone(GRAPH, numbers(DOOR, node('old'))).map((each) => each.node)).toEqual(['old'])
  expect(gone(null, numbers(DOOR))).toEqual([])
})

test('times and rates in words', () => {
  expect(meanText(DOOR)).toBe('2.5 s')
  expect(meanText({ ...NOTHING, step: 'door:0', left: { next: 1 }, stayed_us: 75_000_000, hung_up: 0 })).toBe('1 min 15 s')
  expect(meanText(node('end'))).toBe('–')
  expect(rateText({ calls: 3, contained: 2, rate: 2 / 3 })).toBe('67 %')
  expect(rateText({ calls: 0, contained: 0, rate: null })).toBe('–')
})

test('ways out in words', () => {
  expect(['keys.#', 'returns.known', 'next', 'timed_out'].map(wayText)).toEqual(['Key #', 'Back with known', 'Next step', 'Timed out'])
})

test('a node as a screen reader says it', () => {
  expect(spoken(NODE, DOOR)).toBe('Node door, the start, 2 callers now, entered 4, 1 hang-up, 0 time-outs, 0 invalid keys')
  expect(spoken({ ...NODE, title: 'flow billing', is_flow: true }, NOTHING)).toBe('Another flow: billing')
})
