-- The default dictionary of categories (dispute types as people's mediation counts them, and the
-- service matters and hazards every centre takes). Local and national codes are filled in per site.

INSERT INTO incident_categories (code, name_zh, name_en, kind) VALUES
    ('marriage_family', '婚姻家庭', 'marriage and family', 'dispute'),
    ('neighbour', '邻里', 'neighbours', 'dispute'),
    ('housing', '房屋宅基地', 'housing and homestead', 'dispute'),
    ('contract', '合同', 'contract', 'dispute'),
    ('business', '生产经营', 'production and business', 'dispute'),
    ('damages', '损害赔偿', 'damages', 'dispute'),
    ('land_forest', '山林土地', 'mountain, forest and land', 'dispute'),
    ('land_acquisition', '征地拆迁', 'land acquisition and demolition', 'dispute'),
    ('environment', '环境保护', 'environment', 'dispute'),
    ('migrant_wages', '拖欠农民工工资', 'migrant workers'' wages', 'dispute'),
    ('labour', '其他劳动争议', 'other labour', 'dispute'),
    ('tourism', '旅游', 'tourism', 'dispute'),
    ('e_commerce', '电子商务', 'e-commerce', 'dispute'),
    ('consumer', '其他消费', 'other consumer', 'dispute'),
    ('medical', '医疗', 'medical', 'dispute'),
    ('traffic', '道路交通事故', 'road traffic', 'dispute'),
    ('property_management', '物业', 'property management', 'dispute'),
    ('other', '其他纠纷', 'other dispute', 'dispute'),
    ('hazard', '安全隐患', 'safety hazard', 'hazard'),
    ('crime', '治安警情(仅统计)', 'police incident (for counting only)', 'other'),
    ('service', '服务事项', 'service matter', 'service');
