import { expect, test } from 'vitest'
import { curve, heightOf, labelOf, layOut, MOST_LINES, shownLines } from './layout'
import type { FlowGraph, GraphNode } from './numbers'

function node(id: string, lines = 2): GraphNode {
  const told = Array.from({ length: lines }, (_, at) => ({ step: `${id}:${at}`, depth: 0, text: `say: ${at}`, leads: false }))
  return { id, title: id, is_start: false, is_flow: false, lines: told }
}

function edge(source: string, target: string) {
  return { source, target, labels: ['1'], ways: [] }
}

function graph(nodes: GraphNode[], edges: ReturnType<typeof edge>[]): FlowGraph {
  return { flow: 'main', title: '', version: '', nodes, edges }
}

test('boxes stand below those that lead to them, and none on another', () => {
  const { nodes } = layOut(graph(['a', 'b', 'c', 'd'].map((id) => node(id)), [edge('a', 'b'), edge('a', 'c'), edge('b', 'd'), edge('c', 'd')]))
  const at = Object.fromEntries(nodes.map((each) => [each.node.id, each]))
  expect(at['b']?.y).toBeGreaterThan((at['a']?.y ?? 0) + (at['a']?.height ?? 0))
  expect(at['d']?.y).toBeGreaterThan((at['c']?.y ?? 0) + (at['c']?.height ?? 0))
  const [left, right] = [at['b'], at['c']].sort((one, other) => (one?.x ?? 0) - (other?.x ?? 0))
  expect(right?.x).toBeGreaterThanOrEqual((left?.x ?? 0) + (left?.width ?? 0))
})

test('ways back and to itself are drawn too', () => {
  const { edges } = layOut(graph([node('a'), node('b')], [edge('a', 'b'), edge('b', 'a'), edge('a', 'a')]))
  expect(edges.map((each) => each.id)).toEqual(['a→b', 'b→a', 'a→a'])
  for (const each of edges) expect(each.path).toMatch(/^M[-\d. ]+[CL]/)
})

test('an arrow leaves its row before it bends', () => {
  const { nodes, edges } = layOut(graph([node('a'), node('b', 1), node('c', 5), node('d')], [edge('a', 'b'), edge('a', 'c'), edge('b', 'd')]))
  const low = nodes.find((each) => each.node.id === 'c')
  const [, second] = edges.find((each) => each.id === 'b→d')?.path.split(/[LC]/) ?? []
  expect(Number(second?.split(' ')[1])).toBeCloseTo((low?.y ?? 0) + (low?.height ?? 0), 0)
})

test('five hundred nodes are laid out', () => {
  const nodes = Array.from({ length: 500 }, (_, at) => node(`n${at}`))
  const edges = nodes.slice(1).map((each, at) => edge(`n${Math.floor(at / 3)}`, each.id))
  expect(layOut(graph(nodes, edges)).nodes).toHaveLength(500)
}, 30_000)

test('a long node is cut and says how much is left', () => {
  expect(shownLines(node('a', MOST_LINES))).toHaveLength(MOST_LINES)
  expect(shownLines(node('a', 20)).at(-1)?.text).toBe(`… ${20 - MOST_LINES + 1} more`)
  expect(heightOf(node('a', 20))).toBe(heightOf(node('a', MOST_LINES)))
})

test('long labels are cut', () => {
  expect(labelOf(['1', 'otherwise'])).toBe('1, otherwise')
  expect(labelOf(['x'.repeat(60)])).toHaveLength(28)
})

test('an arrow straight down is straight, others bend', () => {
  expect(curve([{ x: 0, y: 0 }, { x: 0, y: 2 }])).toBe('M0.0 0.0L0.0 2.0')
  expect(curve([{ x: 0, y: 0 }, { x: 4, y: 2 }])).toBe('M0.0 0.0C0.0 1.0 4.0 1.0 4.0 2.0')
  expect(curve([])).toBe('')
})
