-- What each column holds, so that exports and the API decide by it and not by hand-written lists:
--   public            may be shown to everybody
--   internal          shown to those who may see the row
--   personal          about a person: shown by a right for it, each reading logged
--   sensitive         shown one at a time, for a reason (reveal), never exported
--   secret_candidate  where the border and its guards are: never public, never exported but to those
--                     who may see the layer
--   credential        proves who somebody is: never shown

CREATE TABLE column_classes (
    table_name text NOT NULL,
    column_name text NOT NULL,
    class text NOT NULL CHECK (class IN (
        'public', 'internal', 'personal', 'sensitive', 'secret_candidate', 'credential'
    )),
    PRIMARY KEY (table_name, column_name)
);
GRANT SELECT ON column_classes TO wangge_app;

INSERT INTO column_classes (table_name, class, column_name)
SELECT c.table_name, c.class, unnest(string_to_array(c.columns, ' '))
FROM (VALUES
    ('admin_levels', 'public', 'level key name_zh name_en'),
    ('admin_units', 'public',
     'id code level parent_code county_code name name_en area_type geom valid source'),
    ('border_lines', 'public', 'id county_code name our_side geom source external_id'),
    ('incident_categories', 'public', 'code name_zh name_en kind national_code local_code'),
    ('incident_transitions', 'public', 'from_state to_state'),
    ('rights', 'public', 'key name_zh name_en is_personal'),
    ('roles', 'public', 'key name_zh name_en is_administrator place'),
    ('role_rights', 'public', 'role right_key'),
    ('column_classes', 'public', 'table_name column_name class'),
    ('alembic_version', 'public', 'version_num'),
    ('spatial_ref_sys', 'public', 'srid auth_name auth_srid srtext proj4text'),

    ('editions', 'internal',
     'id area_code county_code kind status valid title rules note based_on_id author created_at '
     'approver published_at'),
    ('grids', 'internal', 'id county_code kind created_at'),
    ('grid_shapes', 'internal',
     'edition_id grid_id county_code code unit_code name area_type households buildings target '
     'deviation compactness area_m2 geom'),
    ('cells', 'internal',
     'edition_id cell_id county_code grid_id unit_code block households building_ids geom'),
    ('buildings', 'internal',
     'id county_code unit_code area_code name address kind floors households_registered '
     'households_resident households_occupied households counted_on geom point source external_id'),
    ('barriers', 'internal', 'id county_code kind name geom source external_id'),
    ('imports', 'internal',
     'id kind source file_name file_sha256 actor at kept changed rejected report'),

    ('persons', 'internal', 'id county_code area_codes employment source'),
    ('persons', 'personal', 'name external_id'),
    ('persons', 'sensitive',
     'phone phone_hash phone_last4 id_number id_number_hash id_number_last4'),
    ('assignments', 'internal',
     'id county_code area_code person_id role grid_id building_id route_id is_primary valid author '
     'created_at'),
    ('leaves', 'internal', 'id county_code area_codes author created_at'),
    ('leaves', 'personal', 'person_id deputy_id during'),

    ('cameras', 'secret_candidate',
     'id county_code area_code national_id name kind heading_deg hfov_deg range_m height_m tilt_deg '
     'optics status geom source external_id'),
    ('patrol_routes', 'secret_candidate',
     'id county_code area_code name means interval_days geom valid source external_id'),
    ('checkpoints', 'secret_candidate', 'id county_code area_code route_id seq name geom'),
    ('patrols', 'secret_candidate',
     'id county_code area_code route_id team planned started_at ended_at state source external_id'),
    ('patrols', 'sensitive', 'person_id'),
    ('track_fixes', 'sensitive', 'patrol_id fixed_at county_code area_code accuracy_m geom'),

    ('incidents', 'internal',
     'id county_code area_code source external_id category severity occurred_at reported_at '
     'received_at source_crs accuracy_m method edition_id grid_id assignment_id person_id reason '
     'review state request_sha256 reported_by'),
    ('incidents', 'personal', 'text address geom source_x source_y'),
    ('incident_events', 'internal',
     'id xid incident_id county_code area_code at recorded_at actor kind from_state to_state'),
    ('incident_events', 'personal', 'note data'),
    ('reporters', 'internal', 'incident_id county_code area_code created_at'),
    ('reporters', 'sensitive', 'name phone phone_hash phone_last4'),

    ('accounts', 'internal',
     'id login role area_code valid disabled_at password_set_at must_change_password '
     'totp_confirmed_at last_signed_in_at created_at created_by'),
    ('accounts', 'personal', 'name person_id external_subject'),
    ('accounts', 'credential', 'password_hash totp_secret totp_last_step recovery_hashes'),
    ('sign_in_failures', 'internal', 'failures last_at locked_until'),
    ('sign_in_failures', 'credential', 'subject'),
    ('sessions', 'internal',
     'id account_id created_at last_seen_at expires_at idle_s second_factor ended_at ended_by'),
    ('sessions', 'personal', 'address agent'),
    ('sessions', 'credential', 'token_hash'),
    ('api_keys', 'internal',
     'id account_id name rights area_code per_minute expires_at last_used_at created_at created_by '
     'ended_at ended_by'),
    ('api_keys', 'credential', 'key_hash'),
    ('signs', 'internal',
     'code account_id county_code area_code place_name geom created_at created_by ended_at '
     'ended_by'),
    ('area_grants', 'internal',
     'id account_id area_code kind reason valid given_by created_at ended_at ended_by seen_at '
     'seen_by'),
    ('audit_log', 'personal',
     'stream seq id xid at actor account_id role scope purpose action object_kind object_id '
     'county_code fields count origin session_id key_id detail hash'),
    ('audit_heads', 'internal', 'stream county_code seq hash at'),
    ('audit_roots', 'internal',
     'number kind stream county_code first_seq last_seq root head at note previous public_key '
     'signature'),
    ('audit_purposes', 'internal', 'commitment county_code salt'),
    ('audit_purposes', 'personal', 'words')
) AS c (table_name, class, columns);

-- What is encrypted is of no use without the keys, which are not in the database; who may see the
-- row may carry the sealed value to the program that asks for a reason.
GRANT SELECT (phone, phone_hash, id_number, id_number_hash) ON persons TO wangge_app;
GRANT SELECT (phone, phone_hash) ON reporters TO wangge_app;
