CREATE TABLE datasets (
  name text COLLATE "C" PRIMARY KEY,
  description text NOT NULL,
  uri text NOT NULL,
  cells bigint NOT NULL DEFAULT 0 CHECK (cells >= 0),
  ingests integer NOT NULL DEFAULT 0 CHECK (ingests >= 0),
  -- The next free ids; the row lock of a reservation keeps ranges disjoint and without gaps.
  next_cell_id bigint NOT NULL DEFAULT 1,
  next_feature_id bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL
);

CREATE TABLE ingests (
  id text COLLATE "C" PRIMARY KEY,
  dataset text COLLATE "C" NOT NULL REFERENCES datasets (name),
  state text NOT NULL CHECK (state IN ('started', 'committed', 'failed')),
  source_uri text NOT NULL,
  sha256 text NOT NULL,
  options_fingerprint text NOT NULL,
  uri text NOT NULL,
  cell_id_start bigint,
  cells bigint,
  feature_id_start bigint,
  features bigint,
  manifest_sha256 text,
  error text NOT NULL DEFAULT '',
  job_id text NOT NULL,
  tag text NOT NULL,
  started_at timestamptz NOT NULL,
  committed_at timestamptz,
  UNIQUE (dataset, sha256, options_fingerprint),
  CHECK (
    (cells IS NULL) = (features IS NULL)
    AND (cells IS NULL) = (cell_id_start IS NULL)
    AND (cells IS NULL) = (feature_id_start IS NULL)
  ),
  CHECK (state <> 'committed' OR (cells IS NOT NULL AND manifest_sha256 IS NOT NULL AND committed_at IS NOT NULL))
);

CREATE INDEX ingests_newest ON ingests (started_at DESC, id DESC);
CREATE INDEX ingests_of_dataset ON ingests (dataset, started_at DESC, id DESC);

CREATE TABLE feature_schemas (
  name text COLLATE "C" PRIMARY KEY,
  feature_ids text[] NOT NULL,
  sha256 text NOT NULL,
  size integer NOT NULL CHECK (size > 0),
  created_at timestamptz NOT NULL
);

-- Of the artifacts below, `content` is the canonical JSON of the protobuf resource as it was registered; columns beside it are
-- what the database itself refers to or changes.
CREATE TABLE curricula (
  name text COLLATE "C" PRIMARY KEY,
  dataset text COLLATE "C" NOT NULL REFERENCES datasets (name),
  feature_schema text COLLATE "C" NOT NULL REFERENCES feature_schemas (name),
  content jsonb NOT NULL,
  created_at timestamptz NOT NULL
);

CREATE TABLE models (
  name text COLLATE "C" PRIMARY KEY,
  feature_schema text COLLATE "C" NOT NULL REFERENCES feature_schemas (name),
  curriculum text COLLATE "C" REFERENCES curricula (name),
  is_default boolean NOT NULL DEFAULT false,
  content jsonb NOT NULL,
  created_at timestamptz NOT NULL
);

CREATE UNIQUE INDEX models_one_default ON models (is_default) WHERE is_default;

CREATE TABLE embeddings (
  name text COLLATE "C" PRIMARY KEY,
  model text COLLATE "C" NOT NULL REFERENCES models (name),
  curriculum text COLLATE "C" NOT NULL REFERENCES curricula (name),
  content jsonb NOT NULL,
  created_at timestamptz NOT NULL
);

CREATE TABLE ontologies (
  name text COLLATE "C" PRIMARY KEY,
  content jsonb NOT NULL,
  created_at timestamptz NOT NULL
);

CREATE TABLE indexes (
  name text COLLATE "C" PRIMARY KEY,
  embedding text COLLATE "C" NOT NULL REFERENCES embeddings (name),
  model text COLLATE "C" NOT NULL REFERENCES models (name),
  ontology text COLLATE "C" REFERENCES ontologies (name),
  is_default boolean NOT NULL DEFAULT false,
  content jsonb NOT NULL,
  created_at timestamptz NOT NULL
);

CREATE UNIQUE INDEX indexes_one_default_per_model ON indexes (model) WHERE is_default;
