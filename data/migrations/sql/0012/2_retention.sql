-- What a person said that an address means may hold a name: it goes when nobody has said it for long.
ALTER TABLE retention_rules DROP CONSTRAINT retention_rules_entity_check;
ALTER TABLE retention_rules ADD CONSTRAINT retention_rules_entity_check CHECK (entity IN (
    'track_fixes', 'reporters', 'incident_texts', 'person_contacts', 'sessions',
    'import_reports', 'exports', 'address_aliases'
));
INSERT INTO retention_rules (entity, action, days, counted_from, basis_zh, basis_en) VALUES
    ('address_aliases', 'delete', 1825, 'the last time a person said it',
     '按口述地址定位所必需,五年未再确认即删除;行政区划别名除外',
     'needed to find what people call a place; gone when not said again for five years');
