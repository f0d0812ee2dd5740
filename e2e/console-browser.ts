/**
 * The browser a person would use, as the console's tests drive it: Chromium with an empty profile,
 * gone afterwards. It remembers everything that a strict page must not do.
 */
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';

const CHROMIUM = '/usr/bin/chromium';
const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** What the browser itself says when a server refuses or is not there; the page shows it in its own words. */
const NETWORK_NOISE = /^Failed to load resource|^WebSocket connection to/;
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export type Scheme = 'light' | 'dark';

export class ConsoleBrowser implements AsyncDisposable {
  readonly page: Page;
  /** Violations of the content security policy, uncaught errors, and whatever else the page complained about. */
  readonly complaints: string[] = [];
  readonly #context: BrowserContext;
  readonly #profile: string;

  private constructor(context: BrowserContext, page: Page, profile: string) {
    this.#context = context;
    this.#profile = profile;
    this.page = page;
    page.on('pageerror', (error) => this.complaints.push(error.message));
    page.on('console', (message) => {
      const isProblem = message.type() === 'error' || message.type() === 'warning';
      if (isProblem && !NETWORK_NOISE.test(message.text())) this.complaints.push(message.text());
    });
  }

  static async open(): Promise<ConsoleBrowser> {
    const profile = mkdtempSync(join(realpathSync(tmpdir()), 'hf-browser-'));
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: CHROMIUM,
      args: ARGUMENTS,
      viewport: { width: 1_280, height: 900 },
    });
    context.setDefaultTimeout(15_000);
    const page = context.pages()[0] ?? (await context.newPage());
    return new ConsoleBrowser(context, page, profile);
  }

  /** What axe finds on the page as it stands, by rule and place. */
  async audit(scheme: Scheme): Promise<string[]> {
    await this.page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    await this.page.evaluate(AXE);
    const violations = await this.page.evaluate<{ id: string; nodes: { target: string[] }[] }[]>(
      'axe.run(document).then(({ violations }) => violations.map(({ id, nodes }) => ({ id, nodes: nodes.map(({ target }) => ({ target })) })))',
    );
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
  }

  /** For a person to look at (W-15): the whole page as a file, where `HOLDFAST_SCREENSHOTS` names a directory. */
  async picture(name: string): Promise<void> {
    const directory = process.env['HOLDFAST_SCREENSHOTS'];
    if (directory !== undefined) await this.page.screenshot({ path: join(directory, `${name}.png`), fullPage: true });
  }

  /** Whether something of the page hangs out of the window sideways. */
  async isTooWide(): Promise<boolean> {
    return this.page.evaluate<boolean>('document.documentElement.scrollWidth > document.documentElement.clientWidth');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#context.close();
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
