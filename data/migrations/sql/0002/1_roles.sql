-- What an account may do: roles and their rights, as data; what is not listed is not allowed.

DO $$
BEGIN
    -- Functions below carry settings of these names; an owner that is no superuser needs leave.
    IF NOT has_parameter_privilege('wangge.lo', 'SET')
        OR NOT has_parameter_privilege('wangge.hi', 'SET')
        OR NOT has_parameter_privilege('wangge.rights', 'SET')
    THEN
        RAISE EXCEPTION 'the owner of the database may not set wangge.lo, wangge.hi, wangge.rights'
            USING HINT = format(
                'Have an administrator run: GRANT SET ON PARAMETER wangge.lo, wangge.hi, '
                'wangge.rights TO %I', current_user);
    END IF;
END
$$;

CREATE TABLE rights (
    key text PRIMARY KEY CHECK (key ~ '^[a-z_]+\.[a-z_]+$'),
    name_zh text NOT NULL,
    name_en text NOT NULL,
    is_personal boolean NOT NULL DEFAULT false
);
COMMENT ON COLUMN rights.is_personal IS 'Whether using it shows personal or restricted data';
INSERT INTO rights (key, name_zh, name_en, is_personal) VALUES
    ('grids.read', '查看网格与负责人', 'see grids and who answers for them', false),
    ('drafts.read', '查看网格方案草案', 'see drafts of editions', false),
    ('drafts.write', '编制网格方案', 'draw and change drafts', false),
    ('editions.publish', '发布与回退网格版本', 'publish editions and roll them back', false),
    ('buildings.read', '查看楼栋户数', 'see buildings with their household counts', false),
    ('people.read', '查看人员与请假', 'see people, their assignments and leaves', true),
    ('people.reveal', '查看人员电话与证件号', 'reveal phones and id numbers of people', true),
    ('people.write', '安排人员与请假', 'assign people and record leaves', true),
    ('incidents.report', '上报事件', 'report incidents', false),
    ('incidents.own', '查看本人网格的事件', 'see incidents of one''s own grids', true),
    ('incidents.read', '查看辖区事件', 'see incidents of the area', true),
    ('incidents.detail', '查看事件文字与地址', 'see what was said and the address', true),
    ('incidents.step', '流转事件', 'move incidents on', true),
    ('reporters.read', '查看报告人', 'see who reported', true),
    ('reporters.reveal', '查看报告人电话', 'reveal who reported and their phone', true),
    ('signs.manage', '管理扫码标牌', 'put up and take down signs that residents scan', false),
    ('heatmaps.read', '查看热力图', 'see densities', false),
    ('cameras.read', '查看摄像头', 'see cameras', true),
    ('patrols.read', '查看巡逻路线与巡逻', 'see patrol routes and patrols', true),
    ('tracks.own', '查看本人轨迹', 'see one''s own tracks', true),
    ('tracks.read', '查看巡逻轨迹', 'see tracks of patrols', true),
    ('exports.make', '申请导出', 'ask for exports', true),
    ('exports.approve', '审批导出', 'approve large exports', false),
    ('accounts.manage', '管理账号', 'open, close and reset accounts', false),
    ('roles.assign', '分配角色与辖区', 'give accounts their role and area', false),
    ('grants.give', '临时授权', 'give and take back access to other areas', false),
    ('keys.manage', '管理接口密钥', 'issue and revoke API keys', false),
    ('system.run', '运行维护', 'run retention and maintenance', false),
    ('audit.read', '查看审计日志', 'read the audit log', true);

CREATE TABLE roles (
    key text PRIMARY KEY CHECK (key ~ '^[a-z_]+$'),
    name_zh text NOT NULL,
    name_en text NOT NULL,
    -- The administrators are kept apart: none of them reads business data.
    is_administrator boolean NOT NULL DEFAULT false,
    place smallint NOT NULL UNIQUE
);
INSERT INTO roles (place, key, name_zh, name_en, is_administrator) VALUES
    (1, 'resident', '居民', 'resident', false),
    (2, 'grid_worker', '网格员', 'grid worker', false),
    (3, 'community', '村(社区)', 'village or community', false),
    (4, 'township', '苏木乡镇(街道)', 'township', false),
    (5, 'department', '部门', 'department', false),
    (6, 'dispatcher', '综治中心调度员', 'dispatcher of the governance centre', false),
    (7, 'planner', '网格规划员', 'planner', false),
    (8, 'patrol_leader', '巡逻负责人', 'patrol leader', false),
    (9, 'analyst', '分析员', 'analyst', false),
    (10, 'integrator', '系统对接方', 'integrator', false),
    (11, 'system_admin', '系统管理员', 'system administrator', true),
    (12, 'security_admin', '安全管理员', 'security administrator', true),
    (13, 'audit_admin', '审计管理员', 'audit administrator', true);

CREATE TABLE role_rights (
    role text NOT NULL REFERENCES roles,
    right_key text NOT NULL REFERENCES rights,
    PRIMARY KEY (role, right_key)
);
INSERT INTO role_rights (role, right_key)
SELECT r.role, unnest(string_to_array(r.rights, ' '))
FROM (VALUES
    ('resident', 'incidents.report'),
    ('grid_worker',
     'grids.read incidents.report incidents.own incidents.detail incidents.step tracks.own'),
    ('community',
     'grids.read buildings.read people.read incidents.report incidents.read incidents.detail '
     'incidents.step heatmaps.read signs.manage'),
    ('township',
     'grids.read buildings.read people.read people.write people.reveal incidents.report '
     'incidents.read incidents.detail incidents.step heatmaps.read signs.manage exports.make'),
    ('department',
     'grids.read incidents.report incidents.read incidents.detail incidents.step'),
    ('dispatcher',
     'grids.read buildings.read people.read people.write people.reveal incidents.report '
     'incidents.read incidents.detail incidents.step reporters.read reporters.reveal heatmaps.read '
     'cameras.read patrols.read signs.manage exports.make'),
    ('planner',
     'grids.read drafts.read drafts.write editions.publish buildings.read people.read '
     'exports.make'),
    ('patrol_leader', 'grids.read people.read people.reveal patrols.read tracks.read cameras.read'),
    ('analyst', 'grids.read incidents.read heatmaps.read exports.make'),
    ('integrator', 'grids.read incidents.report'),
    ('system_admin', 'accounts.manage system.run'),
    ('security_admin', 'roles.assign grants.give keys.manage exports.approve'),
    ('audit_admin', 'audit.read')
) AS r (role, rights);
