/**
 * The second engine: secretlint's recommended preset, run on the pieces of text in which a literal of
 * ours was found. Pieces, because its patterns are not all bounded. Its comments that switch rules off
 * are themselves switched off: only exact suppressions with reason and owner count here.
 */
import { lintSource } from '@secretlint/core';
import { creator } from '@secretlint/secretlint-rule-preset-recommend';

import type { FoundSecret, TextWindow } from './find-secrets.ts';
import { isPlaceholder } from './plausibility.ts';

const PRESET = '@secretlint/secretlint-rule-preset-recommend';
const CONFIG = {
  rules: [
    {
      id: PRESET,
      rule: creator,
      rules: [
        { id: '@secretlint/secretlint-rule-filter-comments', disabled: true },
        // Account numbers are not secret.
        { id: '@secretlint/secretlint-rule-aws', allowMessageIds: ['AWSAccountID'] },
        // Ours sees the same keys and tells a picture of a key from a key.
        { id: '@secretlint/secretlint-rule-privatekey', disabled: true },
        // Ours knows reserved hosts, templates and weak words.
        { id: '@secretlint/secretlint-rule-basicauth', disabled: true },
      ],
    },
  ],
};

/** What secretlint finds in `windows` and `known` does not have yet. */
export async function findWithSecretlint(
  windows: readonly TextWindow[],
  known: readonly FoundSecret[],
): Promise<readonly FoundSecret[]> {
  const found = new Map<string, FoundSecret>();
  for (const { text, firstLine } of windows) {
    const { messages } = await lintSource({
      // The name must not matter: rules for certain files are ours.
      source: { content: text, filePath: 'window.txt', ext: '.txt', contentType: 'text' },
      options: { config: CONFIG, noPhysicFilePath: true },
    });
    for (const { range, ruleId, type } of messages) {
      const [from, to] = range;
      const secret = text.slice(from, to);
      if (type !== 'message' || secret === '' || isPlaceholder(secret)) continue;
      if ([...known, ...found.values()].some((other) => secret.includes(other.secret) || other.secret.includes(secret)))
        continue;
      const name = ruleId.replace(/^.*secretlint-rule-/, '');
      found.set(secret, {
        rule: { id: `secretlint-${name}`, title: `a secret by the rule ${name} of secretlint`, chosen: true },
        severity: 'P0',
        secret,
        how: '',
        line: firstLine + (text.slice(0, from).split('\n').length - 1),
      });
    }
  }
  return [...found.values()];
}
