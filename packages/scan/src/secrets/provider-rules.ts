/**
 * Tokens that say by their form who issued them. Written from what the issuers publish about their
 * formats; a form with a checksum is checked, and one that fails it is reported as a lesser finding,
 * since a damaged token is still somebody's mistake.
 */
import { entropyBits, isPlaceholder } from './plausibility.ts';
import { END, type SecretRule, START } from './secret-rule.ts';
import { hasBase62Checksum } from './token-checksums.ts';

interface Form {
  readonly severity?: 'P0' | 'P1';
  readonly back?: number;
  /** Bits a character; three separate random hexadecimal from `aaaa…` and words. */
  readonly entropy?: number;
  readonly flags?: 'yi';
  readonly check?: (secret: string) => boolean;
  readonly start?: '';
  readonly end?: '';
}

function token(id: string, title: string, literals: string, pattern: string, form: Form = {}): SecretRule {
  const severity = form.severity ?? 'P0';
  const minEntropy = form.entropy ?? 3;
  return {
    id,
    title,
    severity,
    literals: literals.split(' '),
    pattern: new RegExp(`${form.start ?? START}${pattern}${form.end ?? END}`, form.flags ?? 'y'),
    back: form.back ?? 0,
    judge: (secret) => {
      if (isPlaceholder(secret) || entropyBits(secret) < minEntropy) return null;
      return form.check === undefined || form.check(secret) ? severity : 'P1';
    },
    chosen: false,
    textOnly: false,
    path: null,
  };
}

/** `NAME = "value"`, `name: value`, `"name" => 'value'` after a literal; as much as one line may put between. */
const ASSIGN = String.raw`[\w.\- ]{0,40}["'\x60\]]{0,2}[ \t]{0,8}(?:=>|:=|==?|:|,)[ \t]{0,8}["'\x60]{0,1}`;
const near = (id: string, title: string, literals: string, value: string, form: Form = {}): SecretRule =>
  token(id, title, literals, `(?:${literals.replaceAll(' ', '|')})${ASSIGN}(${value})`, {
    flags: 'yi',
    start: '',
    ...form,
  });

export const PROVIDER_RULES: readonly SecretRule[] = [
  // Clouds
  token('aws-access-key-id', 'an AWS access key id', 'akia asia abia acca', '(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}'),
  near(
    'aws-secret-access-key',
    'an AWS secret access key',
    'secret_access_key secretaccesskey secret-access-key aws_secret_key aws_secret',
    '[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])',
    { entropy: 3.5 },
  ),
  token('aws-bedrock-api-key', 'an Amazon Bedrock API key', 'absk', 'ABSK[A-Za-z0-9+/]{109,269}={0,2}', { end: '' }),
  token('gcp-api-key', 'a Google API key', 'aiza', String.raw`AIza[\w-]{35}(?![\w-])`),
  token('gcp-oauth-client-secret', 'a Google OAuth client secret', 'gocspx-', String.raw`GOCSPX-[\w-]{28}`),
  token('gcp-access-token', 'a Google access token', 'ya29.', String.raw`ya29\.[\w-]{20,300}`),
  token('azure-storage-key', 'an Azure storage account key', 'accountkey=', 'AccountKey=([A-Za-z0-9+/]{86}==)', {
    flags: 'yi',
    end: '',
  }),
  token(
    'azure-shared-access-key',
    'an Azure shared access key',
    'sharedaccesskey=',
    'SharedAccessKey=([A-Za-z0-9+/]{43}=)',
    { flags: 'yi', end: '' },
  ),
  token(
    'azure-sas-signature',
    'an Azure shared access signature',
    'sig=',
    String.raw`(?<=[?&;])sig=([A-Za-z0-9%+/]{40,70}(?:%3D|=))`,
    { flags: 'yi', start: '', end: '' },
  ),
  token(
    'azure-client-secret',
    'an Entra ID client secret',
    'q~',
    String.raw`[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}`,
    { back: 4 },
  ),
  token('azure-devops-token', 'an Azure DevOps token', 'azdo', '[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}', { back: 76 }),
  token('alibaba-access-key-id', 'an Alibaba Cloud access key id', 'ltai', 'LTAI[A-Za-z0-9]{17,21}'),
  token('tencent-secret-id', 'a Tencent Cloud secret id', 'akid', 'AKID[A-Za-z0-9]{32}', { entropy: 3.5 }),
  token('digitalocean-token', 'a DigitalOcean token', 'dop_v1_ doo_v1_ dor_v1_', 'do[opr]_v1_[a-f0-9]{64}'),
  token('heroku-api-key', 'a Heroku API key', 'hrku-', String.raw`HRKU-[\w-]{36,70}`),
  near('heroku-api-key', 'a Heroku API key', 'heroku', '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'),
  token('yandex-api-key', 'a Yandex Cloud key', 'aqvn', String.raw`AQVN[\w-]{35,38}`),
  token(
    'cloudflare-origin-ca-key',
    'a Cloudflare origin CA key',
    'v1.0-',
    String.raw`v1\.0-[a-f0-9]{24}-[a-f0-9]{146}`,
  ),
  near('cloudflare-api-token', 'a Cloudflare API token', 'cloudflare', String.raw`[a-z0-9_-]{40}(?![\w-])`, {
    entropy: 3.5,
  }),
  token(
    'flyio-token',
    'a Fly.io token',
    'fm2_ fm1r_ fm1a_ fo1_',
    String.raw`(?:fo1_[\w-]{43}|fm(?:2|1[ar])_[A-Za-z0-9+/]{100,2000})`,
    { end: '' },
  ),
  token('planetscale-token', 'a PlanetScale credential', 'pscale_', String.raw`pscale_(?:tkn|oauth|pw)_[\w=.-]{32,64}`),
  token('supabase-token', 'a Supabase key', 'sbp_ sb_secret_', String.raw`(?:sbp_[a-f0-9]{40}|sb_secret_[\w-]{31})`),
  token('netlify-token', 'a Netlify token', 'nfp_', 'nfp_[A-Za-z0-9]{36}'),
  token('render-api-key', 'a Render API key', 'rnd_', 'rnd_[A-Za-z0-9]{28,36}'),
  token(
    'tailscale-key',
    'a Tailscale key',
    'tskey-',
    'tskey-(?:auth|api|client|scim|webhook)-[A-Za-z0-9]{8,32}-[A-Za-z0-9]{20,48}',
  ),
  token('scalingo-token', 'a Scalingo token', 'tk-us-', String.raw`tk-us-[\w-]{48}`),
  // Source and packages
  token('github-token', 'a GitHub token', 'ghp_ gho_ ghu_ ghs_ ghr_', 'gh[pousr]_[A-Za-z0-9]{36}', {
    check: hasBase62Checksum,
    start: '',
  }),
  token('github-refresh-token', 'a GitHub refresh token', 'ghr_', 'ghr_[A-Za-z0-9]{76}', { start: '' }),
  token(
    'github-fine-grained-token',
    'a GitHub fine-grained token',
    'github_pat_',
    'github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}',
    { start: '' },
  ),
  token(
    'gitlab-token',
    'a GitLab token',
    'glpat- gldt- glrt- glft- glsoat- glcbt- glimt- glagent- gloas- glptt- glffct-',
    String.raw`gl(?:pat|dt|rt|ft|soat|cbt|imt|agent|oas|ptt|ffct)-[\w.-]{20,300}`,
    { start: '', end: '' },
  ),
  token('bitbucket-app-password', 'a Bitbucket app password', 'atbb', 'ATBB[A-Za-z0-9]{32}', { start: '' }),
  token('atlassian-token', 'an Atlassian API token', 'atatt3 atctt3', String.raw`AT[AC]TT3[\w=-]{180,400}`, {
    start: '',
    end: '',
  }),
  token('npm-token', 'an npm access token', 'npm_', 'npm_[A-Za-z0-9]{36}', { check: hasBase62Checksum }),
  token(
    'npmrc-credential',
    'an npm registry credential',
    '_authtoken _password _auth',
    String.raw`_(?:authToken|password|auth)[ \t]{0,4}=[ \t]{0,4}["']{0,1}([A-Za-z0-9+/_.=-]{8,300})["']{0,1}(?:\s|$)`,
    { start: '', end: '', entropy: 2.5 },
  ),
  token(
    'pypi-token',
    'a PyPI upload token',
    'pypi-ageichlwas5vcmc pypi-agendgvzdc5wexbplm9yzw',
    String.raw`pypi-Ag[\w-]{60,1000}`,
    { end: '' },
  ),
  token('rubygems-token', 'a RubyGems API key', 'rubygems_', 'rubygems_[a-f0-9]{48}'),
  token('crates-io-token', 'a crates.io token', 'cio', 'cio[A-Za-z0-9]{32}', { entropy: 4 }),
  token('nuget-api-key', 'a NuGet API key', 'oy2', 'oy2[a-z0-9]{43}', { entropy: 3.5 }),
  token('clojars-token', 'a Clojars token', 'clojars_', 'CLOJARS_[a-z0-9]{60}', { flags: 'yi' }),
  token('docker-token', 'a Docker Hub token', 'dckr_pat_ dckr_oat_', String.raw`dckr_[po]at_[\w-]{27,40}`),
  token('artifactory-api-key', 'an Artifactory API key', 'akcp', 'AKCp[A-Za-z0-9]{69}'),
  token('artifactory-reference-token', 'an Artifactory reference token', 'cmvmd', 'cmVmd[A-Za-z0-9]{59}'),
  token(
    'terraform-cloud-token',
    'a Terraform Cloud token',
    '.atlasv1.',
    String.raw`[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,70}`,
    { back: 14 },
  ),
  token('sonar-token', 'a Sonar token', 'sqp_ squ_ sqa_', 'sq[pua]_[a-f0-9]{40}'),
  token('sourcegraph-token', 'a Sourcegraph token', 'sgp_', 'sgp_(?:[a-fA-F0-9]{16}_|local_)?[a-fA-F0-9]{40}'),
  token('postman-api-key', 'a Postman API key', 'pmak-', 'PMAK-[a-f0-9]{24}-[a-f0-9]{34}'),
  token('pulumi-token', 'a Pulumi token', 'pul-', 'pul-[a-f0-9]{40}'),
  token('readme-token', 'a ReadMe API key', 'rdme_', 'rdme_[a-z0-9]{70}'),
  token('octopus-api-key', 'an Octopus Deploy API key', 'api-', 'API-[A-Z0-9]{26}', { entropy: 3.5 }),
  token('prefect-token', 'a Prefect token', 'pnu_', 'pnu_[A-Za-z0-9]{36}'),
  token(
    'doppler-token',
    'a Doppler token',
    'dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit.',
    String.raw`dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[\w-]{2,35}\.)?[A-Za-z0-9]{40,44}`,
  ),
  token('hashicorp-vault-token', 'a HashiCorp Vault token', 'hvs. hvb. hvr.', String.raw`hv[sbr]\.[\w-]{24,300}`, {
    entropy: 3.5,
  }),
  token('databricks-token', 'a Databricks token', 'dapi dose dkea', '(?:dapi|dose|dkea)[a-f0-9]{32}(?:-[0-9]{1,2})?'),
  token(
    'onepassword-token',
    'a 1Password credential',
    'ops_eyj a3-',
    '(?:ops_eyJ[A-Za-z0-9+/]{250,2000}|A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})-[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5})',
    { end: '' },
  ),
  token('openshift-token', 'an OpenShift token', 'sha256~', String.raw`sha256~[\w-]{43}`),
  token(
    'age-secret-key',
    'an age secret key',
    'age-secret-key-1 age-secret-key-pq-1',
    'AGE-SECRET-KEY-(?:PQ-)?1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58,120}',
    { flags: 'yi' },
  ),
  // Messages
  token(
    'slack-token',
    'a Slack token',
    'xoxa- xoxb- xoxp- xoxo- xoxs- xoxe- xoxr- xoxe. xoxd- xoxc-',
    String.raw`xox(?:e\.xox[bp]|[abpsoercd])-[A-Za-z0-9%-]{14,250}`,
    { entropy: 2.8 },
  ),
  token('slack-app-token', 'a Slack app token', 'xapp-', 'xapp-[0-9]-[A-Z0-9]{8,20}-[0-9]{8,20}-[a-z0-9]{20,100}', {
    flags: 'yi',
  }),
  token(
    'slack-webhook',
    'a Slack webhook address',
    'hooks.slack.com/',
    String.raw`hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9+/]{30,80})`,
    { start: '' },
  ),
  token(
    'discord-webhook',
    'a Discord webhook address',
    '/api/webhooks/',
    String.raw`/api/webhooks/[0-9]{17,20}/([\w-]{60,80})`,
    { start: '' },
  ),
  near(
    'discord-token',
    'a Discord bot token',
    'discord bot_token',
    String.raw`[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,38}`,
  ),
  token('telegram-bot-token', 'a Telegram bot token', ':aa', String.raw`[0-9]{8,10}:AA[\w-]{32,33}(?![\w-])`, {
    back: 10,
    entropy: 4,
  }),
  token(
    'teams-webhook',
    'a Microsoft Teams webhook address',
    'webhook.office.com/webhookb2/',
    String.raw`webhook\.office\.com/webhookb2/([\w@-]{70,80}/IncomingWebhook/[a-z0-9]{32}/[a-z0-9-]{36})`,
    { start: '' },
  ),
  token('twilio-api-key', 'a Twilio API key', 'sk', 'SK[0-9a-f]{32}', { entropy: 3.3 }),
  near('twilio-auth-token', 'a Twilio auth token', 'twilio auth_token authtoken', '[0-9a-f]{32}'),
  token('sendgrid-api-key', 'a SendGrid API key', 'sg.', String.raw`SG\.[\w-]{16,32}\.[\w-]{16,64}(?![\w-])`, {
    entropy: 3.8,
  }),
  token('mailgun-api-key', 'a Mailgun API key', 'key-', 'key-[0-9a-f]{32}'),
  near('mailgun-signing-key', 'a Mailgun key', 'mailgun', '[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}'),
  token('mailchimp-api-key', 'a Mailchimp API key', '-us', '[0-9a-f]{32}-us[0-9]{1,2}', { back: 32 }),
  token('brevo-api-key', 'a Brevo API key', 'xkeysib-', 'xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}'),
  token('sentry-token', 'a Sentry token', 'sntrys_ sntryu_', 'sntry(?:u_[a-f0-9]{64}|s_[A-Za-z0-9+/=_-]{50,400})', {
    end: '',
  }),
  token(
    'new-relic-key',
    'a New Relic key',
    'nrak- nrii- nrjs-',
    '(?:NRAK-[A-Z0-9]{27}|NRII-[A-Za-z0-9-]{32}|NRJS-[a-f0-9]{19})',
    { flags: 'yi' },
  ),
  token(
    'grafana-token',
    'a Grafana token',
    'glc_ glsa_',
    '(?:glc_[A-Za-z0-9+/]{32,400}={0,2}|glsa_[A-Za-z0-9]{32}_[a-f0-9]{8})',
    { end: '' },
  ),
  token('dynatrace-token', 'a Dynatrace token', 'dt0c01.', String.raw`dt0[a-z]01\.[A-Z0-9]{24}\.[A-Z0-9]{64}`, {
    flags: 'yi',
  }),
  token('notion-token', 'a Notion token', 'ntn_', 'ntn_[0-9]{11}[A-Za-z0-9]{35}'),
  token('linear-api-key', 'a Linear key', 'lin_api_ lin_oauth_', 'lin_(?:api|oauth)_[A-Za-z0-9]{40,64}'),
  token('figma-token', 'a Figma token', 'figd_', String.raw`figd_[\w-]{38,60}`),
  token('airtable-token', 'an Airtable token', 'pat', String.raw`pat[A-Za-z0-9]{14}\.[a-f0-9]{64}`),
  token('typeform-token', 'a Typeform token', 'tfp_', String.raw`tfp_[\w.=-]{40,70}`),
  token('facebook-token', 'a Facebook access token', 'eaac eaam eaab', 'EAA[MCB][A-Za-z0-9]{100,400}'),
  token('contentful-token', 'a Contentful token', 'cfpat-', String.raw`CFPAT-[\w-]{43}`),
  token('maxmind-key', 'a MaxMind licence key', '_mmk', '[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk', { back: 36 }),
  // Money
  token(
    'stripe-secret-key',
    'a Stripe secret key',
    'sk_live_ rk_live_ sk_prod_ rk_prod_',
    '[sr]k_(?:live|prod)_[A-Za-z0-9]{16,247}',
  ),
  token('stripe-test-key', 'a Stripe test key', 'sk_test_ rk_test_', '[sr]k_test_[A-Za-z0-9]{16,247}', {
    severity: 'P1',
  }),
  token('stripe-webhook-secret', 'a Stripe webhook secret', 'whsec_', 'whsec_[A-Za-z0-9+/]{32,64}={0,2}', { end: '' }),
  token('shopify-token', 'a Shopify token', 'shpat_ shpca_ shppa_ shpss_', 'shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}'),
  token(
    'square-token',
    'a Square token',
    'sq0atp- sq0csp- eaaa',
    String.raw`(?:sq0atp-[\w-]{22}|sq0csp-[\w-]{43}|EAAA[\w-]{60})`,
  ),
  token('shippo-token', 'a Shippo token', 'shippo_', 'shippo_(?:live|test)_[a-f0-9]{40}'),
  token('easypost-key', 'an EasyPost key', 'ezak eztk', 'EZ[AT]K[A-Za-z0-9]{54}'),
  token('duffel-token', 'a Duffel token', 'duffel_', String.raw`duffel_(?:test|live)_[\w=-]{43}`),
  token('flutterwave-key', 'a Flutterwave key', 'flwseck', 'FLWSECK(?:_TEST)?-[a-h0-9]{12,32}(?:-X)?', { flags: 'yi' }),
  token(
    'plaid-access-token',
    'a Plaid access token',
    'access-sandbox- access-development- access-production-',
    'access-(?:sandbox|development|production)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}',
  ),
  // Models
  token('openai-api-key', 'an OpenAI API key', 'sk-', String.raw`sk-(?:[a-z]{2,10}-)?[\w-]{20,80}T3BlbkFJ[\w-]{20,80}`),
  token('anthropic-api-key', 'an Anthropic API key', 'sk-ant-', String.raw`sk-ant-[a-z]{2,6}[0-9]{2}-[\w-]{80,120}`),
  token('huggingface-token', 'a Hugging Face token', 'hf_ api_org_', '(?:hf|api_org)_[A-Za-z]{34}', { entropy: 3.5 }),
  token('groq-api-key', 'a Groq API key', 'gsk_', 'gsk_[A-Za-z0-9]{52}'),
  token('perplexity-api-key', 'a Perplexity API key', 'pplx-', 'pplx-[A-Za-z0-9]{48}'),
  token('replicate-token', 'a Replicate token', 'r8_', 'r8_[A-Za-z0-9]{37}'),
  token('xai-api-key', 'an xAI API key', 'xai-', 'xai-[A-Za-z0-9]{80}'),
];
