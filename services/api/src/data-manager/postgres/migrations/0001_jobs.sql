-- Every change of a job takes the next number, so that a watcher can tell newer from older.
CREATE SEQUENCE job_revision;

CREATE TABLE jobs (
  id uuid PRIMARY KEY,
  kind text NOT NULL,
  service text NOT NULL,
  state text NOT NULL
    CHECK (state IN ('waiting', 'queued', 'running', 'retrying', 'succeeded', 'failed', 'cancelled')),
  -- Canonical JSON of cytomesh.jobs.v1.JobSpec and JobResult.
  spec jsonb NOT NULL,
  result jsonb,
  progress_done bigint NOT NULL DEFAULT 0 CHECK (progress_done >= 0),
  progress_total bigint NOT NULL DEFAULT 0 CHECK (progress_total >= 0),
  progress_unit text NOT NULL DEFAULT '',
  progress_message text NOT NULL DEFAULT '',
  items_succeeded integer NOT NULL DEFAULT 0 CHECK (items_succeeded >= 0),
  items_failed integer NOT NULL DEFAULT 0 CHECK (items_failed >= 0),
  items_total integer NOT NULL DEFAULT 0 CHECK (items_total >= 0),
  error_reason text,
  error_message text,
  error_retryable boolean,
  attempt integer NOT NULL DEFAULT 0 CHECK (attempt >= 0),
  max_attempts integer NOT NULL CHECK (max_attempts >= 1),
  created_at timestamptz NOT NULL,
  started_at timestamptz,
  finished_at timestamptz,
  next_attempt_at timestamptz,
  idempotency_key text UNIQUE,
  after_ids uuid[] NOT NULL DEFAULT '{}',
  cancel_requested boolean NOT NULL DEFAULT false,
  revision bigint NOT NULL DEFAULT nextval('job_revision'),
  worker text NOT NULL DEFAULT '',
  lease text,
  lease_expires_at timestamptz,
  ended_lease text,
  -- When the newest message for this job was due, and how many there were for the attempt it is about.
  dispatched_at timestamptz,
  dispatch_count integer NOT NULL DEFAULT 0,
  CHECK (attempt <= max_attempts),
  CHECK ((state = 'running') = (lease IS NOT NULL)),
  CHECK ((lease IS NULL) = (lease_expires_at IS NULL)),
  CHECK ((state = 'retrying') = (next_attempt_at IS NOT NULL)),
  CHECK ((state IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
  CHECK (state <> 'failed' OR error_reason IS NOT NULL),
  CHECK ((error_reason IS NULL) = (error_message IS NULL) AND (error_reason IS NULL) = (error_retryable IS NULL))
);

CREATE INDEX jobs_newest ON jobs (created_at DESC, id DESC);
CREATE INDEX jobs_leases ON jobs (lease_expires_at) WHERE state = 'running';
CREATE INDEX jobs_dispatches ON jobs (dispatched_at) WHERE state IN ('queued', 'retrying');
CREATE INDEX jobs_waiting ON jobs (id) WHERE state = 'waiting';

CREATE TABLE job_edges (
  child_id uuid NOT NULL REFERENCES jobs (id),
  parent_id uuid NOT NULL REFERENCES jobs (id),
  PRIMARY KEY (child_id, parent_id)
);

CREATE INDEX job_edges_parent ON job_edges (parent_id);

CREATE TABLE job_items (
  job_id uuid NOT NULL REFERENCES jobs (id),
  key text COLLATE "C" NOT NULL,
  state text NOT NULL CHECK (state IN ('pending', 'running', 'succeeded', 'failed')),
  error_reason text,
  error_message text,
  error_retryable boolean,
  checkpoint bytea NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (job_id, key)
);

-- What is to be published. A row is written in the transaction that makes it true and deleted once the bus has it.
CREATE TABLE outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topic text NOT NULL CHECK (topic IN ('work', 'fact')),
  subject text NOT NULL,
  payload bytea NOT NULL,
  job_id uuid REFERENCES jobs (id),
  attempt integer,
  due_at timestamptz NOT NULL,
  failures integer NOT NULL DEFAULT 0,
  CHECK (topic <> 'work' OR (job_id IS NOT NULL AND attempt IS NOT NULL))
);

CREATE INDEX outbox_due ON outbox (due_at, id);
CREATE INDEX outbox_work ON outbox (job_id) WHERE topic = 'work';
