/** What the operator of this server does from its command line: a sign-in link, and a verification of everything stored. */
import { IntegrityReportSchema, LoginCodeSchema } from '@holdfast/api';
import { z } from 'zod';
import type { ServerContext } from '../context.ts';
import { OWNER_ID } from '../first-start.ts';
import type { Router } from '../http/route.ts';
import type { IntegrityReport } from '../integrity-walk.ts';
import { createLoginCode, LOGIN_CODE_MS, type Operator } from './sessions.ts';

const Empty = z.strictObject({});

export function addUpkeepRoutes(
  router: Router<Operator>,
  context: ServerContext,
  verifyStored: (orgId: string) => Promise<IntegrityReport>,
): void {
  router
    .add({
      method: 'POST',
      path: '/login-codes',
      summary: 'Make a code that signs the owner in once',
      body: Empty,
      response: LoginCodeSchema,
      handle: async () => {
        const expiresAt = new Date(context.clock.wallMs() + LOGIN_CODE_MS).toISOString();
        return { code: await createLoginCode(context, OWNER_ID), expiresAt };
      },
    })
    .add({
      method: 'POST',
      path: '/integrity',
      summary: 'Verify everything stored, from the bytes up',
      body: Empty,
      response: IntegrityReportSchema,
      handle: async ({ principal }) => {
        const { checked, problems } = await verifyStored(principal.orgId);
        return { checked, problems: [...problems] };
      },
    });
}
