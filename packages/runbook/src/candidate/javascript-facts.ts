/** Facts of a JavaScript or TypeScript file, from its syntax tree. Nothing of the file is run. */
import { type MemberExpression, parseSync, type VariableDeclarator, Visitor } from 'oxc-parser';
import type { SourceFacts } from './source-facts.ts';

/** Objects whose members are environment variables: `process.env`, and what programs pass around as `env`. */
const isEnvironment = (node: MemberExpression['object']): boolean =>
  (node.type === 'Identifier' && (node.name === 'env' || node.name === 'environment')) ||
  (node.type === 'MemberExpression' &&
    !node.computed &&
    node.property.type === 'Identifier' &&
    (node.property.name === 'env' || node.property.name === 'environment'));

function memberName(node: MemberExpression): string | null {
  if (!node.computed && node.property.type === 'Identifier') return node.property.name;
  return node.property.type === 'Literal' && typeof node.property.value === 'string' ? node.property.value : null;
}

/** `const { FLAG } = process.env` */
function destructured({ id, init }: VariableDeclarator): string[] {
  if (init === null || id.type !== 'ObjectPattern' || !isEnvironment(init)) return [];
  return id.properties.flatMap((property) =>
    property.type === 'Property' && property.key.type === 'Identifier' ? [property.key.name] : [],
  );
}

export function readJavaScriptFacts(path: string, text: string): SourceFacts | null {
  const environment = new Set<string>();
  const strings = new Set<string>();
  const declared = new Set<string>();
  const parsed = parseSync(path, text);
  if (parsed.errors.length > 0) return null;
  for (const { entries } of parsed.module.staticExports) {
    for (const { exportName, moduleRequest } of entries) {
      if (exportName.name !== null) declared.add(exportName.name);
      else if (moduleRequest === null) declared.add('default'); // `export *` has neither
    }
  }
  new Visitor({
    Literal(node) {
      if (typeof node.value === 'string') strings.add(node.value);
    },
    TemplateElement(node) {
      strings.add(node.value.cooked ?? node.value.raw);
    },
    MemberExpression(node) {
      const name = memberName(node);
      if (name !== null && isEnvironment(node.object)) environment.add(name);
    },
    VariableDeclarator(node) {
      for (const name of destructured(node)) environment.add(name);
    },
    AssignmentExpression({ left, right }) {
      // CommonJS: `exports.name = …` and `module.exports = { name }`
      if (left.type !== 'MemberExpression') return;
      const name = memberName(left);
      if (name === null || left.object.type !== 'Identifier') return;
      if (left.object.name === 'exports') declared.add(name);
      if (left.object.name !== 'module' || name !== 'exports' || right.type !== 'ObjectExpression') return;
      for (const property of right.properties) {
        if (property.type === 'Property' && property.key.type === 'Identifier') declared.add(property.key.name);
      }
    },
  }).visit(parsed.program);
  return { environment, strings, declared };
}
