"""The fields of the streams: the vendor's whole contract, in the vendor's order.

Where the vendor publishes no meaning, the description says what the name says and no more.
"""

from __future__ import annotations

from tap_accountsiq.fields import BOOLEAN, DATE_TIME, DECIMAL, INTEGER, TEXT, Field, FieldType

ACCOUNTS = (
    Field("Code", "code", TEXT, "GL account code, exact: leading zeros, spaces and case matter."),
    Field("Description", "description", TEXT, "Name of the account."),
    Field("AccountType", "account_type", TEXT, "Kind of account, e.g. Posting, Control, Bank or VAT."),
    Field("DefaultTaxID", "default_tax_id", TEXT, "Default tax of postings to the account."),
    Field("GLCategoryID", "gl_category_id", TEXT, "Id of the GL category."),
    Field("GLSubCategoryID", "gl_sub_category_id", TEXT, "Id of the GL sub-category."),
    Field("GLCategory", "gl_category", TEXT, "Name of the GL category."),
    Field("GLSubCategory", "gl_sub_category", TEXT, "Name of the GL sub-category."),
    Field("DepartmentID", "department_id", TEXT, "BI code of the account ('Department' in the API)."),
    Field("IsDepartmental", "is_departmental", BOOLEAN, "Whether postings to the account carry a BI code."),
    Field("BalanceSheetType", "balance_sheet_type", TEXT, "Balance sheet or profit and loss."),
    Field("GLCategoryTypeID", "gl_category_type_id", TEXT, "Id of the GL category's type."),
    Field(
        "GLCategoryTypeDescription", "gl_category_type_description", TEXT, "Name of the GL category's type."
    ),
    Field("IsActive", "is_active", BOOLEAN, "Whether the account is in use."),
    Field("CurrencyCode", "currency_code", TEXT, "Currency of the account."),
    Field("GLGroupID", "gl_group_id", TEXT, "Id of the GL group."),
    Field("GLGroup", "gl_group", TEXT, "Name of the GL group."),
)

DIMENSION_OPTIONS = (
    Field("Code", "dimension_code", TEXT, "Code of the dimension, exact."),
    Field("Description", "dimension_description", TEXT, "Name of the dimension."),
    Field(
        "DimensionCodes/WSAnalysisDimensionCode/Code",
        "code",
        TEXT,
        "Code of the option, exact; unique across all dimensions of the entity.",
    ),
    Field("DimensionCodes/WSAnalysisDimensionCode/Description", "description", TEXT, "Name of the option."),
)

DIMENSION_POSITION = Field(
    "",
    "dimension_position",
    INTEGER,
    "Position of the dimension in the service's list, from 1: which analysis code of a BI code is meant for it.",
)
"""The number of the row; no element holds it."""

BI_CODES = (
    Field("DepartmentID", "code", TEXT, "BI code, exact ('Department' in the API)."),
    Field("Description", "description", TEXT, "Name of the BI code."),
    Field("AnalysisCode1", "analysis_code_1", TEXT, "Option code in the first dimension."),
    Field("AnalysisCode2", "analysis_code_2", TEXT, "Option code in the second dimension."),
    Field("AnalysisCode3", "analysis_code_3", TEXT, "Option code in the third dimension."),
    Field("AnalysisCode4", "analysis_code_4", TEXT, "Option code in the fourth dimension."),
    Field("AnalysisCode5", "analysis_code_5", TEXT, "Option code in the fifth dimension."),
    Field("AnalysisCode6", "analysis_code_6", TEXT, "Option code in the sixth dimension."),
    Field("IsActive", "is_active", BOOLEAN, "Whether the BI code is in use."),
)

RESOLVED_OPTIONS = Field(
    "",
    "dimension_options",
    FieldType(
        "list",
        {
            "type": ["array"],
            "items": {
                "type": ["object"],
                "properties": {
                    "position": {
                        "type": ["integer"],
                        "description": "Which of the six analysis codes holds the option code, from 1.",
                    },
                    "dimension_code": {
                        "type": ["string", "null"],
                        "description": "Code of the dimension that the option belongs to; null: of none.",
                    },
                    "dimension_description": {
                        "type": ["string", "null"],
                        "description": "Name of the dimension.",
                    },
                    "code": {"type": ["string"], "description": "Option code, exact."},
                    "description": {"type": ["string", "null"], "description": "Name of the option."},
                },
                "required": ["position", "code"],
            },
        },
        list,
    ),
    "The options behind the analysis codes, found by their code: dimension, option code and names.",
)
"""Made by `tap_accountsiq.dimensions`; no element holds it."""

TAX_RATES = (
    Field("ID", "id", TEXT, "The vendor's id of the tax code."),
    Field("Code", "code", TEXT, "Tax code, exact."),
    Field("Description", "description", TEXT, "Name of the tax code."),
    Field("RowVersionNumber", "row_version_number", TEXT, "Version of the stored row."),
    Field(
        "Rate",
        "rate",
        DECIMAL,
        "The rate exactly as the service gives it; believed to be a fraction (0.23 means 23 %).",
    ),
    Field("EuropeanCommunitySales", "european_community_sales", BOOLEAN, "For sales within the EU."),
    Field(
        "EuropeanCommunityPurchases", "european_community_purchases", BOOLEAN, "For purchases within the EU."
    ),
    Field("EUTrade", "eu_trade", BOOLEAN, "For trade within the EU."),
    Field(
        "ReverseCharge", "reverse_charge", BOOLEAN, "Reverse charge; null when the service leaves it open."
    ),
    Field("IsGoods", "is_goods", BOOLEAN, "For goods rather than services."),
    Field("PartialReclaim", "partial_reclaim", BOOLEAN, "Whether only a part can be reclaimed."),
    Field("PartialReclaimRate", "partial_reclaim_rate", DECIMAL, "The part that can be reclaimed."),
    Field("IsDefault", "is_default", BOOLEAN, "Whether this is the default tax code."),
    Field(
        "IsTaxExclude",
        "is_tax_exclude",
        BOOLEAN,
        "The vendor's flag IsTaxExclude; its meaning is not published.",
    ),
    Field("IsStandardRate", "is_standard_rate", BOOLEAN, "Whether this is the standard rate."),
    Field("GrossThreshold", "gross_threshold", DECIMAL, "Gross amount from which the tax applies."),
    Field("NetThreshold", "net_threshold", DECIMAL, "Net amount from which the tax applies."),
    Field("TaxTypeId", "tax_type_id", INTEGER, "Id of the type of tax."),
    Field("SalesTaxInclude", "sales_tax_include", BOOLEAN, "Whether sales prices include the tax."),
    Field(
        "PurchasesTaxInclude", "purchases_tax_include", BOOLEAN, "Whether purchase prices include the tax."
    ),
    Field("DebitGlAccno", "debit_gl_accno", TEXT, "GL account that is debited."),
    Field("CreditGlAccno", "credit_gl_accno", TEXT, "GL account that is credited."),
    Field("WithHoldingTaxGLAccount", "with_holding_tax_gl_account", TEXT, "GL account for withholding tax."),
    Field("IsWithHoldingTax", "is_with_holding_tax", BOOLEAN, "Whether this is a withholding tax."),
    Field("Is1099Code", "is_1099_code", BOOLEAN, "Whether this is a US 1099 code."),
    Field("Checker/IdLength", "checker_id_length", INTEGER, "The service's own length limit of the id."),
    Field(
        "Checker/CodeLength", "checker_code_length", INTEGER, "The service's own length limit of the code."
    ),
    Field(
        "Checker/DescriptionLength",
        "checker_description_length",
        INTEGER,
        "The service's own length limit of the description.",
    ),
    Field(
        "Checker/AuthorLength",
        "checker_author_length",
        INTEGER,
        "The service's own length limit of the author.",
    ),
)

SUPPLIERS = (
    Field("AccountID", "account_id", INTEGER, "The vendor's number of the supplier account."),
    Field("ExternalApproverID", "external_approver_id", INTEGER, "Id of the external approver."),
    Field("LedgerType", "ledger_type", TEXT, "Ledger: Sales, Purchases or General."),
    Field("Code", "code", TEXT, "Supplier code, exact."),
    Field("CountryCode", "country_code", TEXT, "Code of the country."),
    Field("Name", "name", TEXT, "Name of the supplier."),
    Field("GroupID", "group_id", TEXT, "Id of the supplier group."),
    Field("DefaultTaxCode", "default_tax_code", TEXT, "Default tax code."),
    Field("AreaID", "area_id", TEXT, "Id of the area."),
    Field("BankAccountCode", "bank_account_code", TEXT, "Bank account code.", private=True),
    Field("CountryID", "country_id", TEXT, "Id of the country."),
    Field("CreditTermID", "credit_term_id", TEXT, "Id of the credit terms."),
    Field("CurrencyCode", "currency_code", TEXT, "Currency of the supplier."),
    Field("PaymentMethodID", "payment_method_id", TEXT, "Id of the payment method."),
    Field("AuthorUserID", "author_user_id", TEXT, "User who created the supplier."),
    Field("ShipViaID", "ship_via_id", TEXT, "Id of the way of shipping."),
    Field("CreationDate", "creation_date", DATE_TIME, "When the supplier was created; without a zone: UTC."),
    Field("Address1", "address_1", TEXT, "Address, first line.", private=True),
    Field("Address2", "address_2", TEXT, "Address, second line.", private=True),
    Field("City", "city", TEXT, "Address, city.", private=True),
    Field("County_State", "county_state", TEXT, "Address, county or state.", private=True),
    Field("Country", "country", TEXT, "Name of the country."),
    Field("PostCode", "post_code", TEXT, "Address, post code.", private=True),
    Field("DeliveryName", "delivery_name", TEXT, "Delivery address, name.", private=True),
    Field("DeliveryAddress1", "delivery_address_1", TEXT, "Delivery address, first line.", private=True),
    Field("DeliveryAddress2", "delivery_address_2", TEXT, "Delivery address, second line.", private=True),
    Field("DeliveryCity", "delivery_city", TEXT, "Delivery address, city.", private=True),
    Field(
        "DeliveryCounty_State",
        "delivery_county_state",
        TEXT,
        "Delivery address, county or state.",
        private=True,
    ),
    Field("DeliveryCountry", "delivery_country", TEXT, "Delivery address, country.", private=True),
    Field("DeliveryPostCode", "delivery_post_code", TEXT, "Delivery address, post code.", private=True),
    Field("DeliveryContact", "delivery_contact", TEXT, "Delivery address, contact person.", private=True),
    Field("DeliveryPhone", "delivery_phone", TEXT, "Delivery address, telephone.", private=True),
    Field("DeliveryFax", "delivery_fax", TEXT, "Delivery address, fax.", private=True),
    Field("Phone", "phone", TEXT, "Telephone.", private=True),
    Field("Fax", "fax", TEXT, "Fax.", private=True),
    Field("Email", "email", TEXT, "E-mail address.", private=True),
    Field("WebAddress", "web_address", TEXT, "Web site."),
    Field("Contact", "contact", TEXT, "Contact person.", private=True),
    Field("VATRegistrationNumber", "vat_registration_number", TEXT, "VAT number.", private=True),
    Field("VATExemptReference", "vat_exempt_reference", TEXT, "Reference of a VAT exemption.", private=True),
    Field("DiscountRate", "discount_rate", DECIMAL, "Discount rate."),
    Field(
        "UseAccountTaxCode", "use_account_tax_code", BOOLEAN, "Whether the supplier's own tax code is used."
    ),
    Field("DefaultGLAccountCode", "default_gl_account_code", TEXT, "Default GL account."),
    Field("ControlGLAccountCode", "control_gl_account_code", TEXT, "Control GL account."),
    Field("IsActive", "is_active", BOOLEAN, "Whether the supplier is in use."),
    Field("Hold", "hold", INTEGER, "The vendor's number for 'on hold'; its values are not published."),
    Field("HeadOfficeAccountID", "head_office_account_id", INTEGER, "Account of the head office."),
    Field("Notes", "notes", TEXT, "Free text; may hold personal data.", private=True),
    Field("UseHeadOffice", "use_head_office", BOOLEAN, "Whether postings go to the head office."),
    Field("IsHeadOffice", "is_head_office", BOOLEAN, "Whether this is a head office."),
    Field("CreditLimit", "credit_limit", DECIMAL, "Credit limit."),
    Field("RegionID", "region_id", TEXT, "Id of the region."),
    Field("PriorityID", "priority_id", TEXT, "Id of the priority."),
    Field("DeliveryRouteID", "delivery_route_id", TEXT, "Id of the delivery route."),
    Field("PriceCategoryID", "price_category_id", TEXT, "Id of the price category."),
    Field("PriceListID", "price_list_id", TEXT, "Id of the price list."),
    Field("DepartmentID", "department_id", TEXT, "BI code of the supplier ('Department' in the API)."),
    Field("InternationalBankAccountNumber", "international_bank_account_number", TEXT, "IBAN.", private=True),
    Field("BankSortCode", "bank_sort_code", TEXT, "Sort code of the bank.", private=True),
    Field("BankCode", "bank_code", TEXT, "Code of the bank.", private=True),
    Field("BankSwiftCode", "bank_swift_code", TEXT, "BIC (SWIFT code) of the bank.", private=True),
    Field("AccountReferralID", "account_referral_id", TEXT, "Id of the referral."),
    Field("MobilePhone", "mobile_phone", TEXT, "Mobile telephone.", private=True),
    Field("IsFranchise", "is_franchise", BOOLEAN, "Whether the supplier is a franchise."),
    Field("ContractorTaxCode", "contractor_tax_code", TEXT, "Tax code of a contractor.", private=True),
    Field("RowVersionNumber", "row_version_number", TEXT, "Version of the stored row."),
    Field("EDICentralID", "edi_central_id", TEXT, "Id for electronic data interchange."),
    Field(
        "EPaymentReference", "e_payment_reference", TEXT, "Reference for electronic payments.", private=True
    ),
    Field("SalesRepresentativeID", "sales_representative_id", INTEGER, "Id of the sales representative."),
)

ENTITIES = (
    Field("EntityID", "entity", TEXT, "Id of the entity, exact, as in the setting entities."),
    Field("EntityName", "entity_name", TEXT, "Name of the entity."),
    Field("BaseCurrency", "base_currency", TEXT, "Base currency of the entity."),
)

COMPANY = (
    Field("CompanyName", "company_name", TEXT, "Name of the company."),
    Field("LocaleName", "locale_name", TEXT, "Locale, such as en-GB."),
    Field("BaseCurrencyCode", "base_currency_code", TEXT, "Base currency of the company."),
    Field("Address/Line1", "address_line_1", TEXT, "Address, first line."),
    Field("Address/Line2", "address_line_2", TEXT, "Address, second line."),
    Field("Address/City", "address_city", TEXT, "Address, city."),
    Field("Address/County", "address_county", TEXT, "Address, county."),
    Field("Address/PostZipCode", "address_post_zip_code", TEXT, "Address, post code."),
    Field("Address/CountryState", "address_country_state", TEXT, "Address, country or state."),
    Field("ContactInformation/LandlineNumber", "contact_landline_number", TEXT, "Telephone.", private=True),
    Field(
        "ContactInformation/MobileNumber", "contact_mobile_number", TEXT, "Mobile telephone.", private=True
    ),
    Field("ContactInformation/FaxNumber", "contact_fax_number", TEXT, "Fax.", private=True),
    Field("ContactInformation/EmailAddress", "contact_email_address", TEXT, "E-mail address.", private=True),
    Field("ContactInformation/WebSite", "contact_web_site", TEXT, "Web site."),
    *(
        each
        for element, name, title in (
            ("SalesQuote", "sales_quote", "sales quotes"),
            ("SalesOrder", "sales_order", "sales orders"),
            ("SalesInvoice", "sales_invoice", "sales invoices"),
            ("SalesCreditNote", "sales_credit_note", "sales credit notes"),
            ("PurchaseOrder", "purchase_order", "purchase orders"),
        )
        for each in (
            Field(
                f"AutoNumberingSettings/UseAuto{element}Numbering",
                f"use_auto_{name}_numbering",
                BOOLEAN,
                f"Whether {title} are numbered by the service.",
            ),
            Field(
                f"AutoNumberingSettings/Current{element}Number",
                f"current_{name}_number",
                TEXT,
                f"The current number of {title}.",
            ),
        )
    ),
    Field(
        "PrecisionSettings/PricePrecisionDecimals", "price_precision_decimals", INTEGER, "Decimals of prices."
    ),
    Field(
        "PrecisionSettings/QuantityPrecisionDecimals",
        "quantity_precision_decimals",
        INTEGER,
        "Decimals of quantities.",
    ),
    Field(
        "ApprovalSettings/IsPurchaseApprovalEnabled",
        "is_purchase_approval_enabled",
        BOOLEAN,
        "Whether purchases need an approval.",
    ),
    Field(
        "ApprovalSettings/IsPurchaseBatchPaymentApprovalEnabled",
        "is_purchase_batch_payment_approval_enabled",
        BOOLEAN,
        "Whether batch payments of purchases need an approval.",
    ),
    Field(
        "ApprovalSettings/ApprovalType",
        "approval_type",
        TEXT,
        "Who approves: SupplierBased or BudgetHolderBased.",
    ),
    Field("TaxRegistrationNumber", "tax_registration_number", TEXT, "VAT number of the company."),
    Field("RegistrationNumber", "registration_number", TEXT, "Registration number of the company."),
    Field("EDIIdentifier", "edi_identifier", TEXT, "Id for electronic data interchange."),
    Field(
        "IsConsolidationCompany",
        "is_consolidation_company",
        BOOLEAN,
        "Whether the company consolidates others.",
    ),
)
